import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ServerAccess } from '../../../src/postgres/access.ts';
import { conninfo, libpqEnvironment, passfileLine, toolFor, writeLibpqFiles } from '../../../src/postgres/tools.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-tools-'));
});
afterEach(() => rm(root, { recursive: true }));

const access: ServerAccess = {
  host: 'db',
  port: 5433,
  username: 'backup',
  password: 'p:w\\d',
  secret: 'shop/db',
  tls: { mode: 'verify-full', caFile: '/ca.crt' },
};

async function install(...majors: readonly string[]): Promise<void> {
  for (const major of majors) {
    await mkdir(join(root, major, 'bin'), { recursive: true });
    await writeFile(join(root, major, 'bin', 'pg_dump'), '', { mode: 0o755 });
  }
}

describe('the tool for a server', () => {
  test.each([
    [13, 13],
    [14, 15],
    [15, 15],
    [16, 17],
    [17, 17],
  ])('of major %i is the one of major %i', async (server, expected) => {
    await install('13', '15', '17', 'lost+found', '9.6');
    expect(await toolFor('pg_dump', server, root)).toEqual({
      path: join(root, String(expected), 'bin', 'pg_dump'),
      major: expected,
    });
  });

  test('is never older than the server', async () => {
    await install('13', '17');
    await expect(toolFor('pg_dump', 18, root)).rejects.toMatchObject({
      reason: 'VersionMismatch',
      retryable: false,
      message: expect.stringContaining('13, 17'),
    });
  });

  test('is not to be had from an image without any', async () => {
    await expect(toolFor('pg_dump', 17, join(root, 'nowhere'))).rejects.toMatchObject({ reason: 'VersionMismatch' });
  });
});

describe('the environment of a tool', () => {
  test('carries no password and no word of the agent, and hands every value to libpq as it is', () => {
    const environment = libpqEnvironment(access, 'postgresql://x', { passfile: '/tmp/pgpass' });
    expect(environment).toMatchObject({
      PGDATABASE: 'postgresql://x',
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: '/ca.crt',
      LC_ALL: 'C.UTF-8',
    });
    expect(JSON.stringify(environment)).not.toContain('p:w');
    expect(Object.keys(environment).filter((name) => name.startsWith('TIDEMARK'))).toEqual([]);
  });

  test('has a password file that only its owner reads', async () => {
    const { passfile } = await writeLibpqFiles(access, root);
    expect((await stat(passfile)).mode & 0o777).toBe(0o600);
    expect(await readFile(passfile, 'utf8')).toBe('*:*:*:*:p\\:w\\\\d\n');
  });

  test('has a private copy of the client key, which libpq insists on', async () => {
    const keyFile = join(root, 'mounted.key');
    await writeFile(keyFile, 'key', { mode: 0o644 });
    const files = await writeLibpqFiles({ ...access, tls: { mode: 'require', keyFile, certFile: '/tls.crt' } }, root);
    expect((await stat(files.keyFile ?? '')).mode & 0o777).toBe(0o600);
  });
});

test('any password without a line break comes back from its line as libpq reads it', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }).filter((text) => !/[\r\n\0]/.test(text)),
      (password) => {
        const line = passfileLine(password, 'shop/db');
        expect(libpqReads(line)).toBe(password);
      },
    ),
  );
});

test('a password with a line break is refused, with the Secret named', () => {
  expect(() => passfileLine('a\nb', 'shop/db')).toThrow(/Secret shop\/db/);
});

test('any database name comes back from its connection string', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const text = conninfo(name);
      const quoted = /^dbname='((?:[^'\\]|\\[\s\S])*)'$/.exec(text)?.[1];
      expect(quoted?.replaceAll(/\\([\s\S])/g, '$1')).toBe(name);
    }),
  );
});

/** passwordFromFile() of libpq: four fields, then the rest of the line with its escapes taken out. */
function libpqReads(line: string): string {
  const rest = line.slice('*:*:*:*:'.length, -1);
  return rest.replaceAll(/\\(.)/gu, '$1');
}
