import { rmSync } from 'node:fs';
import { appendFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { runDelete } from '../../../src/agent/delete.ts';
import { listBackups } from '../../../src/repository/find-backup.ts';
import { putVerdict } from '../../../src/repository/verdicts.ts';
import { recordingReporter, volumeRepository } from '../backup/setting.ts';
import { createWorld, type Made, type World } from './world.ts';

/** The one thing that no server at hand can be: of another version. */
const told = vi.hoisted(() => ({ version: undefined as string | undefined }));
vi.mock('../../../src/postgres/choose-server.ts', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../../src/postgres/choose-server.ts')>();
  const chooseServer: typeof real.chooseServer = async (...args) => {
    const { access, facts } = await real.chooseServer(...args);
    return { access, facts: { ...facts, version: told.version ?? facts.version } };
  };
  return { ...real, chooseServer };
});

let world: World;
let full: Made;

beforeAll(async () => {
  world = await createWorld(17);
});
afterAll(async () => {
  await control('-m', 'fast', '-w', 'stop').catch(() => undefined);
  await world?.remove();
});
beforeEach(async () => {
  full = await world.backUp('Full');
  await world.write();
});
afterEach(() => {
  told.version = undefined;
});

const control = (...args: readonly string[]) => {
  const { account, server, root } = world.source;
  const as = { uid: account.uid, gid: account.gid, cwd: root, stdio: 'ignore' } as const;
  return execa(join(server.bin, 'pg_ctl'), ['-D', server.dataFolder, ...args], as);
};

async function setSummarize(value: 'on' | 'off'): Promise<void> {
  const { server } = world.source;
  await server.psql(`ALTER SYSTEM SET summarize_wal = ${value}`);
  await server.psql('SELECT pg_reload_conf()');
  await vi.waitFor(async () => expect(await server.psql('SHOW summarize_wal')).toBe(value), { timeout: 120_000 });
}

/** It is a whole full backup in its name, its manifest and its status, and nothing is left of an increment. */
async function expectFull(made: Made, reason: string, words: RegExp): Promise<void> {
  expect(made.manifest).toMatchObject({ type: 'Full', format: 1 });
  expect(made.manifest.backupID).toMatch(/-physical-full(-\d+)?$/);
  expect(made.status).toMatchObject({
    type: 'Full',
    parentBackupID: '',
    forcedFull: { reason, message: expect.stringMatching(words) },
  });
  expect(made.message).toMatch(/full backup although an increment was asked for/);
  for await (const { location, complete } of listBackups(world.source.store, AbortSignal.timeout(120_000)))
    expect([location.backupID, complete]).toEqual([location.backupID, true]);
}

it('with summarize_wal off it is full, and says the command', async () => {
  await setSummarize('off');
  try {
    const made = await world.backUp('Incremental');
    await expectFull(made, 'SummarizeWalOff', /ALTER SYSTEM SET summarize_wal = on/);
    expect(await world.restored(made.manifest.backupID)).toBe(made.state);
  } finally {
    await setSummarize('on');
  }
});

/** Takes away what the server knows of the time since a backup began. */
async function loseSummaries({ manifest }: Made): Promise<void> {
  const { server } = world.source;
  const since = `SELECT count(*) FROM pg_available_wal_summaries() WHERE end_lsn > '${manifest.physical.beginLSN}'`;
  await server.psql('CHECKPOINT');
  await vi.waitFor(async () => expect(await server.psql(since)).not.toBe('0'), { timeout: 120_000 });
  const folder = join(server.dataFolder, 'pg_wal', 'summaries');
  for (const name of await readdir(folder)) await rm(join(folder, name));
}

it('where the summaries that it needs were removed it is full', async () => {
  const { server } = world.source;
  await loseSummaries(full);
  await world.write();
  await server.psql('CHECKPOINT');
  const known = 'SELECT count(*) FROM pg_available_wal_summaries()';
  await vi.waitFor(async () => expect(await server.psql(known)).not.toBe('0'), { timeout: 120_000 });
  await expectFull(await world.backUp('Differential'), 'SummariesGone', /no unbroken WAL summaries/);
});

it('where the role may not ask for the summaries, the server says so itself, and it is full', async () => {
  const { server } = world.source;
  await server.psql("CREATE ROLE plain LOGIN REPLICATION PASSWORD 'plain'");
  await server.psql('REVOKE EXECUTE ON FUNCTION pg_available_wal_summaries() FROM PUBLIC');
  await loseSummaries(full);
  await world.setting.setCredentials('plain', 'plain');
  try {
    await expectFull(await world.backUp('Incremental'), 'SummariesGone', /WAL summaries are required/);
  } finally {
    await world.setting.setCredentials(server.superuser, server.password);
    await server.psql('GRANT EXECUTE ON FUNCTION pg_available_wal_summaries() TO PUBLIC');
  }
});

it('where the parent has lost an object it is full', async () => {
  const [chunk] = full.manifest.physical.chunks;
  await rm(world.fileOf(`${full.path}/${chunk?.path}`));
  const made = await world.backUp('Incremental');
  await expectFull(made, 'ParentDamaged', new RegExp(full.manifest.backupID));
});

it('where a verification of the parent has failed it is full', async () => {
  const { run, backupID } = full.manifest;
  const isDistrusted = async (made: { readonly run: string; readonly backupID: string }) =>
    made.run === run && made.backupID === backupID;
  await expectFull(
    await world.backUp('Incremental', { context: { isDistrusted } }),
    'ParentFailedVerification',
    /failed/,
  );
});

it('where the repository says that the parent is bad it is full, whatever the cluster knows', async () => {
  const signal = AbortSignal.timeout(120_000);
  const found = { time: new Date().toISOString(), by: 'orders-verify-1', namespace: 'shop' };
  await putVerdict(world.source.store, full.path, 'Bad', found, signal);
  try {
    await expectFull(await world.backUp('Incremental'), 'ParentFailedVerification', /failed/);
  } finally {
    await putVerdict(world.source.store, full.path, 'Good', found, signal);
  }
});

it('refused on a minor version that makes bad increments, with nothing stored', async () => {
  const before = await Array.fromAsync(listBackups(world.source.store, AbortSignal.timeout(120_000)));
  told.version = '17.12';
  const physical = { allowFaultyIncrementals: false };
  const { error } = await world.tryToBackUp('Incremental', { physical });
  expect(error).toMatchObject({
    reason: 'FaultyIncrements',
    retryable: false,
    message: expect.stringMatching(/17\.13 or later.*allowFaultyIncrementals: true/),
  });
  expect(await Array.fromAsync(listBackups(world.source.store, AbortSignal.timeout(120_000)))).toEqual(before);
});

it('an update of the minor version makes it full, and the next increment stands on that', async () => {
  told.version = '17.99';
  const physical = { allowFaultyIncrementals: false };
  const made = await world.backUp('Incremental', { physical });
  await expectFull(made, 'VersionChanged', /PostgreSQL 17\.99.*made by 17\./);
  await world.write();
  const next = await world.backUp('Incremental', { physical });
  expect(next.manifest).toMatchObject({ type: 'Incremental', parentBackupID: made.manifest.backupID });
});

it('without any backup before it is full', async () => {
  await rm(world.fileOf('shop'), { recursive: true });
  await expectFull(await world.backUp('Differential'), 'NoParent', /no full physical backup/);
});

it('an increment whose parent is deleted while it is made is not kept', async () => {
  const parent = await world.backUp('Full');
  const before = await Array.fromAsync(listBackups(world.source.store, AbortSignal.timeout(120_000)));
  const context = {
    log: {
      info: (_: object, message?: string) => {
        if (message === 'the base backup begins') rmSync(world.fileOf(`${parent.path}/manifest.json`));
      },
      warn: () => undefined,
      error: () => undefined,
    },
  };
  const { error } = await world.tryToBackUp('Incremental', { context });
  expect(error).toMatchObject({ reason: 'ParentGone', retryable: true });
  const after = await Array.fromAsync(listBackups(world.source.store, AbortSignal.timeout(120_000)));
  expect(after.map(({ location }) => location.backupID)).toEqual(before.map(({ location }) => location.backupID));
});

it('a backup that an increment stands on is not deleted, and goes after it', async () => {
  const { store, systemIdentifier, mountRoot } = world.source;
  await rm(world.fileOf('shop'), { recursive: true });
  const parent = await world.backUp('Full');
  await world.write();
  const child = await world.backUp('Incremental');
  const remove = ({ manifest: { backupID }, path }: Made) => {
    const task = {
      action: 'delete' as const,
      namespace: 'shop',
      run: { name: 'orders-manual', uid: 'u' },
      repositories: [volumeRepository],
      backup: { backupID, path },
    };
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    return runDelete(
      { task, reporter: recordingReporter(), log: quiet, signal: AbortSignal.timeout(120_000) },
      mountRoot,
    );
  };
  expect(child.path).toContain(systemIdentifier);
  await expect(remove(parent)).rejects.toMatchObject({
    reason: 'BackupNeeded',
    message: expect.stringContaining(child.manifest.backupID),
  });
  expect(await store.head(`${parent.path}/manifest.json`, { signal: AbortSignal.timeout(120_000) })).toBeDefined();
  await remove(child);
  expect((await remove(parent)).reason).toBe('BackupRemoved');
});

it('after a switch of the timeline it is full, and the next increment stands on that', async () => {
  const { server } = world.source;
  await control('-m', 'fast', '-w', 'stop');
  await writeFile(join(server.dataFolder, 'recovery.signal'), '');
  await appendFile(join(server.dataFolder, 'postgresql.conf'), "\nrestore_command = 'false'\n");
  await execa('chown', ['-R', '--reference', server.dataFolder, server.dataFolder]);
  await control('-w', 'start');
  await vi.waitFor(async () => expect(await server.psql('SELECT pg_is_in_recovery()')).toBe('f'), { timeout: 120_000 });
  const made = await world.backUp('Incremental');
  await expectFull(made, 'TimelineSwitched', /timeline 2/);
  await world.write();
  const next = await world.backUp('Incremental');
  expect(next.manifest).toMatchObject({ type: 'Incremental', parentBackupID: made.manifest.backupID });
  await vi.waitFor(async () => expect(await readdir(world.source.archived)).toContain('00000002.history'), {
    timeout: 120_000,
  });
  await world.source.shipArchived();
  expect(await world.restored(next.manifest.backupID)).toBe(next.state);
});
