import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LogicalManifest, ManifestDatabase, StoredObject } from '../../src/domain/manifest.ts';
import { ensureDebianPackages } from '../support/cluster/packages.ts';
import { downloadPrefix } from '../support/tidemark/bucket.ts';
import { backupRun, logicalPolicy } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { fingerprint, loadShop } from '../support/tidemark/shop.ts';

describe('a stored backup is whole without Tidemark, as docs/restore-by-hand.md says', () => {
  const password = 'the-same-on-both-servers';
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let elsewhere: PostgresWorkload;
  let before: readonly string[];
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidemark-by-hand-'));
    await ensureZstd();
    scenario = await startScenario('hand');
    [postgres, elsewhere] = await Promise.all([
      scenario.postgres({ password }),
      scenario.postgres({ password, name: 'elsewhere' }),
    ]);
    await loadShop(postgres);
    before = await fingerprint(postgres);
    await scenario.apply(...scenario.repositoryObjects());
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(['Custom', 'Directory'] as const)(
    'a %s backup is found, checked and restored with an S3 client, sha256, zstd, tar, psql and pg_restore',
    async (format) => {
      explainFailure(scenario);
      const { status, backup } = await backUpAndFetch(format);
      const manifestBytes = await readFile(join(backup, 'manifest.json'));
      expect(status?.['checksum']).toBe(sha256Of(manifestBytes));
      const manifest = JSON.parse(manifestBytes.toString('utf8')) as LogicalManifest;
      const [database] = manifest.logical.databases;
      const globals = manifest.logical.globals;
      if (database === undefined || globals === undefined)
        throw new Error('The manifest lacks the database or globals');
      expect(manifest).toMatchObject({
        format: 1,
        backupID: status?.backupID,
        server: { version: expect.stringMatching(/^17\./) },
      });
      expect(database).toMatchObject({ name: 'shop', format });
      await checkObjects(backup, [...database.objects, database.contents, globals]);

      const restored = `shop_${format.toLowerCase()}`;
      const dump = await unpack(backup, database);
      await execa('zstd', ['-d', '-q', join(backup, globals.path)]);
      const inPod = `/tmp/${restored}`;
      await copyIn(join(backup, 'globals.sql'), `${inPod}.sql`);
      await copyIn(dump, inPod);
      // Roles that are there already are errors that psql reports and steps over.
      await client('psql', '--quiet', '--dbname=postgres', `--file=${inPod}.sql`);
      const { encoding, collate, ctype, owner } = database;
      const locale = [`--encoding=${encoding}`, `--lc-collate=${collate}`, `--lc-ctype=${ctype}`, `--owner=${owner}`];
      await client('createdb', '--template=template0', ...locale, restored);
      await client('pg_restore', `--dbname=${restored}`, '--exit-on-error', inPod);
      expect(await fingerprint(elsewhere, restored)).toEqual(before);
      expect(await roles(elsewhere)).toEqual(await roles(postgres));
    },
  );

  async function backUpAndFetch(format: 'Custom' | 'Directory') {
    const { namespace } = scenario;
    const name = format.toLowerCase();
    const logical = { format, databases: { include: ['shop'] }, ...(format === 'Directory' ? { jobs: 2 } : {}) };
    await scenario.apply(
      logicalPolicy(namespace, { logical }, name),
      backupRun(namespace, name, { policyRef: { name } }),
    );
    const { status } = await scenario.finished('backuprun', name);
    expect(status).toMatchObject({ phase: 'Completed' });
    const stored = status?.['repositories'] as readonly { readonly path: string }[] | undefined;
    const backup = join(folder, name);
    await downloadPrefix(scenario, `test/${stored?.[0]?.path}/`, backup);
    return { status, backup };
  }

  /** A file for Custom, a folder for Directory: what pg_restore takes. */
  async function unpack(backup: string, database: ManifestDatabase): Promise<string> {
    const unpacked = `${backup}-${database.name}`;
    if (database.format === 'Custom') {
      await execa('zstd', ['-d', '-q', join(backup, database.objects[0]?.path ?? ''), '-o', unpacked]);
      return unpacked;
    }
    await mkdir(unpacked);
    for (const { path } of database.objects) {
      await execa('zstd', ['-d', '-q', join(backup, path)]);
      await execa('tar', ['-x', '-C', unpacked, '-f', join(backup, path.replace(/\.zst$/, ''))]);
    }
    expect(await readdir(unpacked)).toContain('toc.dat');
    return unpacked;
  }

  async function copyIn(local: string, inPod: string): Promise<void> {
    await scenario.kubectl.run(['cp', '-c', 'postgres', local, `${scenario.namespace}/elsewhere-0:${inPod}`]);
  }

  async function client(tool: string, ...args: readonly string[]): Promise<string> {
    return await elsewhere.exec([
      'env',
      `PGPASSWORD=${password}`,
      'PGHOST=127.0.0.1',
      'PGUSER=postgres',
      tool,
      ...args,
    ]);
  }
});

async function checkObjects(backup: string, objects: readonly StoredObject[]): Promise<void> {
  for (const { path, size, sha256 } of objects) {
    const bytes = await readFile(join(backup, path));
    expect({ path, size: bytes.length, sha256: sha256Of(bytes) }).toEqual({ path, size, sha256 });
  }
}

function sha256Of(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function roles(postgres: PostgresWorkload): Promise<string> {
  return await postgres.psql("select rolname, rolcanlogin, rolsuper from pg_roles where rolname !~ '^pg_' order by 1");
}

/** Where the cluster runs in Docker, the machine need not be a Debian. */
async function ensureZstd(): Promise<void> {
  const { failed } = await execa('zstd', ['--version'], { reject: false });
  if (failed) await ensureDebianPackages(['zstd'], (line) => process.stdout.write(`${line}\n`));
}
