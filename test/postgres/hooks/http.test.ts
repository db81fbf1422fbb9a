import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createHookRunner } from '../../../src/agent/hooks/run-hook.ts';
import { hooks as schema } from '../../../src/api/hooks.ts';
import { named } from '../../../src/domain/hooks/name.ts';
import { noticeOf } from '../../../src/domain/hooks/notice.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { HookServer } from '../../support/hook-server.ts';
import { selfSignedCertificate } from '../../support/s3/certificate.ts';

const secretPath = '/ping/0b1c2d3e-canary-uuid?token=canary-token';
const token = 'canary-bearer-7Yq2';

let root: string;
let server: HookServer;
let other: HookServer;
let secure: HookServer;
let certificate: { readonly cert: string; readonly key: string };

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-hooks-'));
  certificate = await selfSignedCertificate();
  [server, other, secure] = await Promise.all([HookServer.start(), HookServer.start(), HookServer.start(certificate)]);
  const folder = join(root, mounts.hook('postBackup', 0));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'header-0'), `Bearer ${token}\n`);
  await writeFile(join(folder, 'ca'), certificate.cert);
});

beforeEach(() => {
  for (const each of [server, other, secure]) each.reset();
});

afterAll(async () => {
  await Promise.all([server, other, secure].map((each) => each?.stop()));
  await rm(root, { recursive: true, force: true });
});

const header = { name: 'Authorization', secretKeyRef: { name: 'hook', key: 'token' } };
const ca = { name: 'hook', key: 'ca.crt' };

/** Runs one hook as the agent does. */
async function call(http: object, more: object = {}, signal = AbortSignal.timeout(120_000)) {
  const hooks = schema.parse({ postBackup: [{ http, timeoutSeconds: 1, ...more }] });
  const [hook] = named(hooks, 'postBackup');
  if (hook === undefined) throw new Error('there is a hook');
  const runner = createHookRunner({
    client: undefined,
    namespace: 'shop',
    work: hooks,
    server: undefined,
    knownPod: undefined,
    leniently: false,
    mountRoot: root,
  });
  const names = { namespace: 'shop', policy: 'orders', run: 'orders-1', runUID: 'u-1', schedule: undefined };
  const told = {
    ...names,
    method: 'Logical',
    type: 'Full',
    phase: 'Completed',
    reason: 'BackupStored',
    error: '',
  } as const;
  return await runner.run(hook, noticeOf({ ...told, status: {} }, hook.name), signal);
}

const failing = (message: RegExp, retryable: boolean) => ({
  state: 'Failed',
  retryable,
  message: expect.stringMatching(message),
});

describe('an HTTP hook', () => {
  test.each(['POST', 'PUT'])('that is a %s tells of the run in JSON', async (method) => {
    expect(await call({ url: server.url('/a'), method })).toMatchObject({ state: 'Succeeded' });
    expect(server.received).toMatchObject([{ method, path: '/a', headers: { 'content-type': 'application/json' } }]);
    expect(server.notices).toMatchObject([{ version: 1, run: 'orders-1', phase: 'Completed' }]);
  });

  test.each(['GET', 'HEAD'])('that is a %s has no body', async (method) => {
    expect(await call({ url: server.url('/a?b=c'), method })).toMatchObject({ state: 'Succeeded' });
    expect(server.received).toMatchObject([{ method, path: '/a?b=c', body: '' }]);
  });

  test('sends the header that a Secret holds, and a login in the URL as one', async () => {
    await call({ url: server.url('/'), headers: [header] });
    await call({ url: server.url('/').replace('//', '//user:p%40ss@') });
    expect(server.received.map(({ headers }) => headers.authorization)).toEqual([
      `Bearer ${token}`,
      `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
    ]);
  });

  test('whose Secret is missing is not sent, and says which', async () => {
    const missing = { name: 'X-Other', secretKeyRef: { name: 'nowhere', key: 'value' } };
    const outcome = await call({ url: server.url(), headers: [header, missing] });
    expect(outcome).toMatchObject(failing(/Secret shop\/nowhere with the key value/, false));
    expect(server.received).toEqual([]);
  });

  test.each([
    [500, true],
    [503, true],
    [429, true],
    [400, false],
    [403, false],
    [404, false],
  ])('that is answered %i has failed', async (status, retryable) => {
    server.answer = (response) => void response.writeHead(status).end('what went wrong');
    const outcome = await call({ url: server.url() });
    expect(outcome).toMatchObject(failing(new RegExp(`answered ${status}.*what went wrong`), retryable));
  });

  test('tells nothing of its URL but the host, nor of its headers, whatever the server repeats', async () => {
    server.answer = (response, { path, headers }) =>
      void response.writeHead(404).end(`Cannot POST ${path} as ${headers.authorization}\n\u001b[2J`);
    const { message } = await call({ url: server.url(secretPath), headers: [header] });
    expect(message).toContain(server.host);
    expect(message).toContain('Cannot POST');
    expect(message).not.toMatch(/canary|0b1c2d3e/);
    expect(message).not.toContain('\u001b');
  });

  test('that is not answered in time is given up', async () => {
    server.answer = () => undefined;
    const begun = performance.now();
    expect(await call({ url: server.url(secretPath) })).toMatchObject(failing(/not answered within 1 s/, true));
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  test('has succeeded with the status, though the body comes slowly; of a bad one, what came is told', async () => {
    const drip = (status: number) => {
      server.answer = (response) => void response.writeHead(status).write('the beginning');
    };
    drip(200);
    expect(await call({ url: server.url() })).toMatchObject({ state: 'Succeeded' });
    drip(500);
    expect(await call({ url: server.url() }, { timeoutSeconds: 20 })).toMatchObject(failing(/the beginning/, true));
  });

  test('reads of an endless answer no more than it tells', async () => {
    server.answer = (response) => {
      response.writeHead(500);
      const more = () => {
        if (response.destroyed) return;
        if (response.write(Buffer.alloc(65_536, 'x'))) setImmediate(more);
        else response.once('drain', more);
      };
      more();
    };
    const { message } = await call({ url: server.url() }, { timeoutSeconds: 20 });
    expect(message.length).toBeLessThan(1000);
  });

  test('follows a redirect on its own host, and none to another', async () => {
    server.answer = (response, { path }) =>
      path === '/old' ? void response.writeHead(308, { location: '/new' }).end() : void response.end('ok');
    expect(await call({ url: server.url('/old') })).toMatchObject({ state: 'Succeeded' });
    expect(server.received.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /old', 'POST /new']);

    server.answer = (response) => void response.writeHead(307, { location: other.url('/theirs') }).end();
    const outcome = await call({ url: server.url('/'), headers: [header] });
    expect(outcome).toMatchObject(failing(new RegExp(`redirect to ${other.host}, which is not followed`), false));
    expect(other.received).toEqual([]);
  });

  test('is not sent again where a redirect would turn it into something else, nor for ever', async () => {
    server.answer = (response) => void response.writeHead(302, { location: '/new' }).end();
    expect(await call({ url: server.url('/old') })).toMatchObject(failing(/answered 302/, false));
    expect(server.received).toHaveLength(1);
    server.answer = (response) => void response.writeHead(307, { location: '/again' }).end();
    expect(await call({ url: server.url('/old') })).toMatchObject(failing(/answered 307/, false));
    expect(server.received).toHaveLength(1 + 4);
  });

  test('trusts the authority that a Secret names, and no other', async () => {
    expect(await call({ url: secure.url(), caSecretRef: ca })).toMatchObject({ state: 'Succeeded' });
    expect(await call({ url: secure.url() })).toMatchObject(failing(/http\.caSecretRef/, false));
    const wrongName = secure.url().replace('127.0.0.1', 'localhost');
    expect(await call({ url: wrongName, caSecretRef: ca })).toMatchObject(
      failing(/ERR_TLS_CERT_ALTNAME_INVALID/, false),
    );
    expect(secure.received).toHaveLength(1);
  });

  test.each([
    ['refuses', () => 'http://127.0.0.1:1/canary-path-of-a-webhook', /ECONNREFUSED/],
    ['has no address', () => 'http://nobody.example.invalid/canary-path-of-a-webhook', /nobody\.example\.invalid/],
  ])('to a host that %s may go well later', async (_, url, message) => {
    const outcome = await call({ url: url() }, { timeoutSeconds: 2 });
    expect(outcome).toMatchObject(failing(message, true));
    expect(outcome.message).not.toContain('canary');
  });

  test('is sent again where nobody was there to get it, as long as it has time', async () => {
    const late = await HookServer.start();
    const url = late.url('/late');
    await late.stop();
    const called = call({ url }, { timeoutSeconds: 30 });
    const reopened = new Promise<void>((resolve) => setTimeout(resolve, 300)).then(() => late.listen());
    try {
      expect(await called).toMatchObject({ state: 'Succeeded' });
      expect(late.received).toHaveLength(1);
    } finally {
      await reopened;
      await late.stop();
    }
  });

  test('of a URL that cannot be read says so without it', async () => {
    const outcome = await call({ url: 'https://[canary' });
    expect(outcome).toMatchObject(failing(/cannot be read/, false));
    expect(outcome.message).not.toContain('canary');
  });

  test('with a header that HTTP does not take is not sent', async () => {
    const folder = join(root, mounts.hook('postBackup', 0));
    await writeFile(join(folder, 'header-1'), 'canary-two\r\nX-Injected: yes');
    const bad = { name: 'X-Bad', secretKeyRef: { name: 'hook', key: 'bad' } };
    const outcome = await call({ url: server.url(), headers: [header, bad] });
    expect(outcome).toMatchObject(failing(/http\.headers/, false));
    expect(outcome.message).not.toContain('canary');
    expect(server.received).toEqual([]);
  });

  test('ends with the agent that is told to stop', async () => {
    const stop = new AbortController();
    server.answer = () => stop.abort(new Error('stopping'));
    await expect(call({ url: server.url() }, { timeoutSeconds: 20 }, stop.signal)).rejects.toThrow('stopping');
  });
});
