import { cp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { recover } from '../recover/recovery.ts';
import { createSource, planFor, type Source, taskFor } from '../recover/source.ts';

let source: Source;
let manifest: PhysicalManifest;
let end: string;
/** The volumes of the two repositories. */
let first: string;
let second: string;

const other: RepositoryTask = {
  name: 'second-disk',
  spec: backupRepositorySpec.parse({ volume: { claimName: 'others' } }),
};

beforeAll(async () => {
  source = await createSource();
  await source.server.psql("CREATE TABLE status (said text); INSERT INTO status VALUES ('new')");
  manifest = await source.backUp();
  for (const said of ['one', 'two', 'three']) {
    await source.server.psql(`UPDATE status SET said = '${said}'`);
    end = await source.ship();
  }
  first = join(source.mountRoot, mounts.repository.volume(0));
  second = join(source.mountRoot, mounts.repository.volume(1));
  await cp(first, second, { recursive: true });
  await execa('chown', ['-R', `${source.account.uid}:${source.account.gid}`, dirname(dirname(second))]);
}, 60_000);
afterAll(() => source?.remove());

async function pathsIn(volume: string, part: RegExp): Promise<readonly string[]> {
  const entries = await readdir(volume, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => part.test(path))
    .sort();
}

/** To the end of the archive, from both repositories. */
async function recoverTo(folder: string) {
  const dataDirectory = join(source.root, folder);
  const assertions = [{ database: 'postgres', query: 'SELECT said FROM status', expect: 'three' }];
  const task = taskFor(planFor(manifest, end), {}, dataDirectory, { assertions });
  return recover(source, { ...task, source: { ...task.source, others: [other] } });
}

test('what is damaged or gone in the first repository comes from the second, WAL too, and that is said', async () => {
  const chunks = await pathsIn(first, /\/base\/.*tar/);
  const wal = await pathsIn(first, /\/wal\/00000001\/[0-9A-F]{24}\.zst$/);
  const [chunk = ''] = chunks;
  const [damaged = '', gone = ''] = wal.slice(-2);
  await writeFile(chunk, 'no chunk');
  await writeFile(damaged, 'no segment');
  await rm(gone);
  const found = await recoverTo('fallback');
  expect(found.failure, found.log + found.agentLog).toBeUndefined();
  expect(found.outcome).toMatchObject({ reason: 'TargetReached' });
  expect(found.outcome?.message).toContain('came from second-disk');
  expect(found.outcome?.message).toContain('docs/copy-backups.md');
});

test('a segment that only one repository had is found there, and the end of the archive is that of both', async () => {
  const wal = await pathsIn(second, /\/wal\/00000001\/[0-9A-F]{24}\.zst$/);
  // What the first lost above, the second has; now the second loses another, which the first has.
  await rm(wal[0] ?? '');
  const found = await recoverTo('both');
  expect(found.failure, found.log + found.agentLog).toBeUndefined();
});

test('a repository that is away hides nothing: what only it may have is not taken for absent', async () => {
  const wal = await pathsIn(second, /\/wal\/00000001\/[0-9A-F]{24}\.zst$/);
  await rm(wal.at(-1) ?? '');
  await rename(first, `${first}-away`);
  try {
    const found = await recoverTo('away');
    expect(found.failure).toBeDefined();
    expect(found.failure?.reason).not.toBe('WalMissing');
  } finally {
    await rename(`${first}-away`, first);
  }
});
