import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import type { BackupPolicy } from '../../../../src/api/kinds.ts';
import type { HttpServer } from '../../../../src/observability/http.ts';
import { serveUi, type UiOptions } from '../../../../src/observability/ui/serve-ui.ts';
import { now, policy } from '../../../support/ui/objects.ts';
import { shelvesOf } from '../../../support/ui/shelves.ts';
import { world } from '../../../support/ui/world.ts';

let server: HttpServer | undefined;
const errors: unknown[] = [];
afterEach(() => server?.close());

async function serve(options: Partial<UiOptions> = {}): Promise<void> {
  errors.length = 0;
  const seen = shelvesOf(world());
  const failed = (error: unknown) => void errors.push(error);
  server = await serveUi({ port: 0, listen: 'Loopback', seen, now: () => now, failed, ...options });
}

interface Asked {
  readonly method?: string;
  readonly host?: string;
  readonly body?: string;
}

function ask(path: string, { method = 'GET', host, body }: Asked = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number | undefined;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly body: string;
  }>();
  const headers = host === undefined ? {} : { host };
  request({ host: '127.0.0.1', port: server?.port, path, method, headers, agent: false }, (response) => {
    text(response).then(
      (words) => resolve({ status: response.statusCode, headers: response.headers, body: words }),
      reject,
    );
  })
    .on('error', reject)
    .end(body);
  return promise;
}

test('every answer forbids scripts, requests, frames, guesses of its type, and copies', async () => {
  await serve();
  for (const path of ['/ui', '/ui/policies/shop/orders', '/ui/policies/shop/none', '/elsewhere', '/']) {
    const { headers } = await ask(path);
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    expect(headers).not.toHaveProperty('set-cookie');
  }
});

test('nothing in a page names another place, or is a script', async () => {
  await serve();
  for (const path of ['/ui', '/ui/policies/shop/orders', '/ui/policies/shop/carts']) {
    const { body } = await ask(path);
    const elsewhere = body
      .replaceAll('xmlns="http://www.w3.org/2000/svg"', '')
      .match(/(https?:\/\/|src=|url\(|@import|<script|<link|<iframe|<form|\son[a-z]+=|\sstyle=)/g);
    expect(elsewhere).toBeNull();
    for (const [, href = ''] of body.matchAll(/href="([^"]*)"/g)) expect(href).toMatch(/^(\/ui|#)/);
  }
});

test('it is read, and nothing else: GET and HEAD', async () => {
  await serve();
  const got = await ask('/ui');
  expect(got).toMatchObject({ status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } });
  const head = await ask('/ui', { method: 'HEAD' });
  expect(head).toMatchObject({
    status: 200,
    body: '',
    headers: { 'content-length': String(Buffer.byteLength(got.body)) },
  });
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'])
    expect(await ask('/ui', { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  expect(await ask('/ui', { method: 'POST', body: 'x'.repeat(100_000) })).toMatchObject({ status: 405 });
  expect(await ask('/')).toMatchObject({ status: 302, headers: { location: '/ui' } });
  expect(await ask('/favicon.ico')).toMatchObject({ status: 204, body: '' });
  expect(await ask('/metrics')).toMatchObject({ status: 404 });
});

test('on the loopback it answers to the machine’s own names alone, so that no web site can make itself one', async () => {
  await serve();
  for (const host of ['localhost:8081', '127.0.0.1', '[::1]:9000', 'LOCALHOST'])
    expect(await ask('/ui', { host })).toMatchObject({ status: 200 });
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.nip.example:8081', 'a@localhost'])
    expect(await ask('/ui', { host })).toMatchObject({ status: 421 });
});

test('behind a Service the host does not matter, and nothing of it comes back', async () => {
  await serve({ listen: 'Pod' });
  const { status, body } = await ask('/ui', { host: 'backups.example' });
  expect(status).toBe(200);
  expect(body).toBe((await ask('/ui')).body);
  expect(body).not.toContain('backups.example');
});

test('a page that cannot be made says so, and the log has the reason', async () => {
  const odd = { ...policy('odd'), spec: undefined } as unknown as BackupPolicy;
  await serve({ seen: shelvesOf({ policies: [odd] }) });
  expect(await ask('/ui')).toMatchObject({ status: 200 });
  const { status, body } = await ask('/ui/policies/shop/odd');
  expect(status).toBe(500);
  expect(body).toContain('This page cannot be shown');
  expect(body).not.toMatch(/TypeError|undefined|at .*:[0-9]+/);
  expect(errors).toHaveLength(1);
});

test('a port that is taken is an error, not silence', async () => {
  await serve();
  await expect(
    serveUi({
      port: server?.port ?? 0,
      listen: 'Loopback',
      seen: shelvesOf({}),
      now: () => now,
      failed: () => undefined,
    }),
  ).rejects.toThrow(/EADDRINUSE/);
});
