import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { clientFromKubeconfig } from '../../../src/kube/from-kubeconfig.ts';
import { certificateOf, type Shown, TlsServer } from './tls-server.ts';

let certificate: Awaited<ReturnType<typeof certificateOf>>;
let server: TlsServer;
let folder: string;
let path: string;

beforeEach(async () => {
  certificate = await certificateOf('a-person');
  server = await TlsServer.start(certificate);
  folder = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
  path = join(folder, 'config');
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function write(user: object, cluster: object = {}, context: object = {}, current = 'here'): Promise<void> {
  const here = { server: `https://127.0.0.1:${server.port}/`, 'certificate-authority-data': base64(certificate.cert) };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'here', cluster: { ...here, ...cluster } }],
    users: [{ name: 'me', user }],
    contexts: [{ name: 'here', context: { cluster: 'here', user: 'me', ...context } }],
    'current-context': current,
  };
  await writeFile(path, stringify(config));
}

async function ask(): Promise<Shown> {
  const client = await clientFromKubeconfig(path);
  try {
    return await client.request<Shown>('GET', '/version');
  } finally {
    await client.close();
  }
}

test('shows a token', async () => {
  await write({ token: 'secret' });
  expect((await ask()).headers.authorization).toBe('Bearer secret');
});

test('shows a client certificate', async () => {
  await write({
    'client-certificate-data': base64(certificate.cert),
    'client-key-data': base64(certificate.key),
  });
  expect((await ask()).certificate).toBe('a-person');
});

test('shows a name and a password', async () => {
  await write({ username: 'me', password: 'p:w' });
  expect((await ask()).headers.authorization).toBe(`Basic ${base64('me:p:w')}`);
});

test('runs the login program that the kubeconfig names', async () => {
  const credential = { kind: 'ExecCredential', status: { token: 'from a program' } };
  const args = ['-e', `console.log(${JSON.stringify(JSON.stringify(credential))})`];
  await write({ exec: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args } });
  expect((await ask()).headers.authorization).toBe('Bearer from a program');
});

test('a login program that hangs ends with the call', async () => {
  const args = ['-e', 'setTimeout(() => {}, 3000)'];
  await write({ exec: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args } });
  const client = await clientFromKubeconfig(path);
  await expect(client.request('POST', '/version', { body: {}, timeout: 200 })).rejects.toThrow(
    'did not answer in time',
  );
  await client.close();
});

test('checks the name that the kubeconfig gives, and trusts no certificate but of its authority', async () => {
  await write({ token: 'secret' }, { 'tls-server-name': 'tidemark.test' });
  expect((await ask()).headers.authorization).toBe('Bearer secret');
  await write({ token: 'secret' }, { 'tls-server-name': 'elsewhere.test' });
  await expect(ask()).rejects.toThrow('elsewhere.test');
  await write({ token: 'secret' }, { 'certificate-authority-data': base64((await certificateOf('other')).cert) });
  await expect(ask()).rejects.toThrow('self-signed certificate');
});

test("has the context's namespace, or default", async () => {
  for (const [context, namespace] of [
    [{ namespace: 'shop' }, 'shop'],
    [{}, 'default'],
  ] as const) {
    await write({ token: 'secret' }, {}, context);
    const client = await clientFromKubeconfig(path);
    expect(client.namespace).toBe(namespace);
    await client.close();
  }
});

test('takes another context where one is named', async () => {
  await write({ token: 'secret' }, {}, { namespace: 'shop' }, 'gone');
  const client = await clientFromKubeconfig(path, 'here');
  expect(client.namespace).toBe('shop');
  expect((await client.request<Shown>('GET', '/version')).headers.authorization).toBe('Bearer secret');
  await client.close();
  await expect(clientFromKubeconfig(path, 'nobody')).rejects.toThrow(`${path} has no context nobody`);
});

test('says what to do about a kubeconfig that it cannot use', async () => {
  await write({ token: 'secret' }, {}, {}, 'gone');
  await expect(clientFromKubeconfig(path)).rejects.toThrow(`${path} has no current context: choose one`);
  await write({ token: 'secret' }, { 'proxy-url': 'http://127.0.0.1:1' });
  await expect(clientFromKubeconfig(path)).rejects.toThrow('names a proxy-url, which is not supported');
  await expect(clientFromKubeconfig(join(folder, 'none'))).rejects.toThrow(join(folder, 'none'));
});
