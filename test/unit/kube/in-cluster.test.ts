import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiUnreachable } from '../../../src/kube/api-error.ts';
import { clientInCluster } from '../../../src/kube/in-cluster.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { certificateOf, type Shown, TlsServer } from './tls-server.ts';

let server: TlsServer;
let folder: string;
let clock: FakeClock;
let environment: NodeJS.ProcessEnv;

const lay = (file: string, content: string) => writeFile(join(folder, file), content);

beforeEach(async () => {
  const certificate = await certificateOf('one');
  server = await TlsServer.start(certificate);
  folder = await mkdtemp(join(tmpdir(), 'service-account-'));
  await Promise.all([lay('token', 'first\n'), lay('ca.crt', certificate.cert), lay('namespace', 'shop\n')]);
  clock = new FakeClock();
  environment = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(server.port) };
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

test("speaks as the pod's service account, in its namespace, and reads the token anew every minute", async () => {
  const client = await clientInCluster({ environment, folder, clock });
  expect(client.namespace).toBe('shop');
  const token = async () => (await client.request<Shown>('GET', '/version')).headers.authorization;
  expect(await token()).toBe('Bearer first');
  await lay('token', 'second');
  await clock.advance(60_000);
  expect(await token()).toBe('Bearer first');
  await clock.advance(1);
  expect(await token()).toBe('Bearer second');
  await client.close();
});

test('goes on with the token that it has while the files are being exchanged', async () => {
  const client = await clientInCluster({ environment, folder, clock });
  await rm(join(folder, 'token'));
  await clock.advance(60_001);
  expect((await client.request<Shown>('GET', '/version')).headers.authorization).toBe('Bearer first');
  await client.close();
});

test("follows the cluster's certificate authority when it is exchanged, and trusts no other", async () => {
  const client = await clientInCluster({ environment, folder, clock });
  await client.request('GET', '/version');
  const other = await certificateOf('two');
  server.use(other);
  const refused = client.request('GET', '/version');
  await expect(refused).rejects.toThrow(ApiUnreachable);
  await expect(refused).rejects.toThrow('self-signed certificate');
  await lay('ca.crt', other.cert);
  await clock.advance(60_001);
  expect(await client.request<Shown>('GET', '/version')).toMatchObject({ headers: { authorization: 'Bearer first' } });
  await client.close();
});

test('reaches a cluster by its IPv6 address', async () => {
  const client = await clientInCluster({ environment: { KUBERNETES_SERVICE_HOST: '::1' }, folder, clock });
  // Nothing listens there: that it was tried is in the reason.
  await expect(client.request('POST', '/version', { body: {} })).rejects.toThrow(
    /ECONNREFUSED ::1:443|EADDRNOTAVAIL|EAFNOSUPPORT/,
  );
  await client.close();
});

test('outside a pod it says so, and without a service account which file is missing', async () => {
  await expect(clientInCluster({ environment: {}, folder })).rejects.toThrow('KUBERNETES_SERVICE_HOST is not set');
  await rm(join(folder, 'token'));
  await expect(clientInCluster({ environment, folder })).rejects.toThrow(join(folder, 'token'));
});
