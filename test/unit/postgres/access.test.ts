import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ServerTask } from '../../../src/domain/task.ts';
import { type AccessRoots, readAccess } from '../../../src/postgres/access.ts';

let root: string;
let roots: AccessRoots;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-access-'));
  roots = {
    credentials: join(root, 'credentials'),
    serverCa: join(root, 'ca'),
    clientCertificate: join(root, 'client'),
    systemCa: '/etc/ssl/certs/ca-certificates.crt',
  };
  for (const folder of ['credentials', 'ca', 'client']) await mkdir(join(root, folder));
  await write({ 'credentials/username': 'backup', 'credentials/password': 'secret' });
});
afterEach(() => rm(root, { recursive: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
}

const server = (tls?: ServerTask['tls']): ServerTask => ({
  hosts: ['db-0', 'db-1'],
  port: 5432,
  database: 'postgres',
  role: 'Primary',
  credentialsSecretName: 'db-backup',
  ...(tls === undefined ? {} : { tls }),
});

test('reads username and password and prefers TLS', async () => {
  expect(await readAccess(server(), 'shop', roots)).toEqual({
    host: 'db-0',
    port: 5432,
    username: 'backup',
    password: 'secret',
    secret: 'shop/db-backup',
    tls: { mode: 'prefer' },
  });
});

test('takes one line break off the end, which `echo` puts there, and nothing else', async () => {
  await write({ 'credentials/username': 'backup\r\n', 'credentials/password': ' secret \n' });
  expect(await readAccess(server(), 'shop', roots)).toMatchObject({ username: 'backup', password: ' secret ' });
});

test.each(['username', 'password'])('names the Secret, the missing key %s and the command', async (key) => {
  await rm(join(root, 'credentials', key));
  await expect(readAccess(server(), 'shop', roots)).rejects.toMatchObject({
    reason: 'MissingSecret',
    retryable: false,
    message: expect.stringMatching(
      new RegExp(
        `Secret shop/db-backup has no key ${key}.*kubectl -n shop create secret generic db-backup --type=kubernetes.io/basic-auth`,
      ),
    ),
  });
});

describe('TLS', () => {
  test('names the mounted authority by the key of its Secret', async () => {
    await write({ 'ca/root.pem': 'pem' });
    const { tls } = await readAccess(
      server({ mode: 'verify-full', caSecretRef: { name: 'ca', key: 'root.pem' } }),
      'shop',
      roots,
    );
    expect(tls).toEqual({ mode: 'verify-full', caFile: join(root, 'ca/root.pem') });
  });

  test('trusts what the image trusts where no authority is named', async () => {
    const { tls } = await readAccess(server({ mode: 'verify-ca' }), 'shop', roots);
    expect(tls).toEqual({ mode: 'verify-ca', caFile: '/etc/ssl/certs/ca-certificates.crt' });
  });

  test.each(['tls.crt', 'tls.key'])('misses the %s of a client certificate', async (key) => {
    await write({ 'client/tls.crt': 'crt', 'client/tls.key': 'key' });
    await rm(join(root, 'client', key));
    await expect(
      readAccess(server({ mode: 'require', clientCertificateSecretRef: { name: 'client' } }), 'shop', roots),
    ).rejects.toMatchObject({
      reason: 'MissingSecret',
      message: expect.stringContaining(`Secret shop/client with the client certificate has no key ${key}`),
    });
  });

  test('needs no password where there is a client certificate', async () => {
    await write({ 'client/tls.crt': 'crt', 'client/tls.key': 'key' });
    await rm(join(root, 'credentials/password'));
    const { password } = await readAccess(
      server({ mode: 'require', clientCertificateSecretRef: { name: 'client' } }),
      'shop',
      roots,
    );
    expect(password).toBeUndefined();
  });
});
