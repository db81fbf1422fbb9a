import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ServerAccess, TlsAccess } from '../../../src/postgres/access.ts';
import { failureOfTool } from '../../../src/postgres/failure.ts';
import { withConnection } from '../../../src/postgres/query.ts';
import { libpqEnvironment, toolFor, writeLibpqFiles } from '../../../src/postgres/tools.ts';
import { makeCertificates } from '../../support/postgres/certificates.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';

let server: TestServer;
let folder: string;

const hba = `
local   all all               scram-sha-256
hostssl all "with cert" all   cert
hostnossl all plain all       scram-sha-256
hostssl all plain all         reject
hostssl all all all           scram-sha-256
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-tls-'));
  const ours = await makeCertificates({ subject: 'localhost', alternativeName: 'DNS:localhost' });
  const theirs = await makeCertificates({ subject: 'somebody else' });
  const client = await makeCertificates({ subject: 'with cert' });
  server = await startPostgres({
    hba,
    settings: { ssl: 'on', ssl_ca_file: 'client-ca.crt' },
    files: { 'server.crt': ours.certificate, 'server.key': ours.key, 'client-ca.crt': client.authority },
  });
  await server.psql(`CREATE ROLE plain LOGIN PASSWORD 'pw'; CREATE ROLE "with cert" LOGIN`);
  const files = {
    'ca.crt': ours.authority,
    'other-ca.crt': theirs.authority,
    'tls.crt': client.certificate,
    'tls.key': client.key,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o644 });
});

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Attempt {
  readonly host?: string;
  readonly username?: string;
  readonly password?: string | undefined;
  readonly tls: { readonly mode: TlsAccess['mode']; readonly ca?: string; readonly cert?: boolean };
}

function accessOf({ host = 'localhost', username = server.superuser, tls, ...rest }: Attempt): ServerAccess {
  const password = 'password' in rest ? rest.password : server.password;
  return {
    host,
    port: server.port,
    username,
    password,
    secret: 'shop/db',
    tls: {
      mode: tls.mode,
      ...(tls.ca === undefined ? {} : { caFile: join(folder, tls.ca) }),
      ...(tls.cert === true ? { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') } : {}),
    },
  };
}

/** `TLS`, `plain`, or the reason of the failure: of our own connection and of libpq's. */
async function bothWays(attempt: Attempt): Promise<readonly [string, string]> {
  const access = accessOf(attempt);
  const sql = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
  const own = await withConnection(access, 'postgres', AbortSignal.timeout(120_000), async (query) => {
    const [row] = await query<{ ssl: boolean }>(sql);
    return row?.ssl === true ? 'TLS' : 'plain';
  }).catch((error: { reason: string }) => error.reason);
  const tool = await toolFor('psql', server.major);
  const files = await writeLibpqFiles(access, folder);
  const ended = await execa(tool.path, ['-XAtc', sql], {
    env: libpqEnvironment(access, 'postgres', files),
    extendEnv: false,
    reject: false,
  });
  const said = ended.exitCode === 0 ? (ended.stdout === 't' ? 'TLS' : 'plain') : undefined;
  const how = `exited with code ${ended.exitCode}`;
  return [
    own,
    said ?? failureOfTool({ tool: 'psql', how, stderr: ended.stderr }, { access, database: 'postgres' }).reason,
  ];
}

describe('every TLS mode means the same to the agent and to libpq', () => {
  const plain = { username: 'plain', password: 'pw' };
  const cases: readonly (readonly [string, Attempt, string])[] = [
    ['disable, refused by pg_hba.conf', { tls: { mode: 'disable' } }, 'AccessRefused'],
    ['disable', { ...plain, tls: { mode: 'disable' } }, 'plain'],
    ['allow, going on to TLS', { tls: { mode: 'allow' } }, 'TLS'],
    ['allow, staying plain', { ...plain, tls: { mode: 'allow' } }, 'plain'],
    ['prefer', { tls: { mode: 'prefer' } }, 'TLS'],
    ['prefer, falling back where TLS is rejected', { ...plain, tls: { mode: 'prefer' } }, 'plain'],
    ['require without an authority', { tls: { mode: 'require' } }, 'TLS'],
    ['require with the authority', { tls: { mode: 'require', ca: 'ca.crt' } }, 'TLS'],
    ['require with another authority', { tls: { mode: 'require', ca: 'other-ca.crt' } }, 'UntrustedCertificate'],
    ['require where TLS is rejected', { ...plain, tls: { mode: 'require' } }, 'AccessRefused'],
    ['verify-ca', { tls: { mode: 'verify-ca', ca: 'ca.crt' } }, 'TLS'],
    ['verify-ca under another name', { host: '127.0.0.1', tls: { mode: 'verify-ca', ca: 'ca.crt' } }, 'TLS'],
    ['verify-ca with another authority', { tls: { mode: 'verify-ca', ca: 'other-ca.crt' } }, 'UntrustedCertificate'],
    ['verify-full', { tls: { mode: 'verify-full', ca: 'ca.crt' } }, 'TLS'],
    [
      'verify-full under another name',
      { host: '127.0.0.1', tls: { mode: 'verify-full', ca: 'ca.crt' } },
      'CertificateNameMismatch',
    ],
    [
      'verify-full with another authority',
      { tls: { mode: 'verify-full', ca: 'other-ca.crt' } },
      'UntrustedCertificate',
    ],
    [
      'a client certificate',
      { username: 'with cert', password: undefined, tls: { mode: 'verify-full', ca: 'ca.crt', cert: true } },
      'TLS',
    ],
    [
      'a missing client certificate',
      { username: 'with cert', password: undefined, tls: { mode: 'require' } },
      'AccessRefused',
    ],
    ['a wrong password', { password: 'wrong', tls: { mode: 'prefer' } }, 'WrongPassword'],
  ];

  test.each(cases)('%s', async (_, attempt, expected) => {
    expect(await bothWays(attempt)).toEqual([expected, expected]);
  });
});
