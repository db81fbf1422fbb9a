import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecoveryPlan } from '../../../src/api/pitr-recovery.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { createSource, type Source, taskFor } from '../recover/source.ts';
import { anywhere, planOf, refusalOf } from './plan-of.ts';

interface Moment {
  readonly time: string;
  readonly lsn: string;
}

let source: Source;
let first: PhysicalManifest;
let second: PhysicalManifest;
const moments = new Map<string, Moment>();
const at = (name: string) => moments.get(name) ?? { time: '', lsn: '' };

const mark = async (name: string) => {
  await source.server.psql(`INSERT INTO marks VALUES ('${name}')`);
  await delay(5);
  const said = await source.server.psql(
    `SELECT pg_current_wal_insert_lsn(), to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
     SELECT pg_create_restore_point('${name}');`,
  );
  const [lsn = '', time = ''] = (said.split('\n')[0] ?? '').split('|');
  moments.set(name, { lsn, time });
  await delay(5);
};

const plan = (...asked: Rest<typeof planOf>) => planOf(source, ...asked);
const refusal = (...asked: Rest<typeof refusalOf>) => refusalOf(source, ...asked);
type Rest<Asker extends typeof planOf | typeof refusalOf> =
  Parameters<Asker> extends [unknown, ...infer Others] ? Others : never;
const nearestLsn = (message: string) => /targetLSN ([0-9A-F]+\/[0-9A-F]+)/.exec(message)?.[1] ?? '';

beforeAll(async () => {
  source = await createSource();
  await source.server.psql('CREATE TABLE marks (name text)');
  await mark('early');
  first = await source.backUp();
  for (const name of ['one', 'two', 'three']) {
    await mark(name);
    await source.ship();
  }
  await delay(1100);
  second = await source.backUp();
  for (const name of ['four', 'five']) {
    await mark(name);
    await source.ship();
  }
}, 60_000);
afterAll(() => source?.remove());

describe('a plan', () => {
  it('from the repository of another cluster, which may only be read, leaves all of it as it was', async () => {
    const before = await contentOf(source.mountRoot);
    const { repository } = anywhere.source;
    const catalogue = { ...repository.spec.catalogue, namespaces: ['shop'] };
    const spec = { ...repository.spec, accessMode: 'ReadOnly' as const, catalogue };
    const elsewhere = { source: { ...anywhere.source, repository: { ...repository, spec } }, namespace: 'dr' };
    const made = await plan({ targetTime: at('two').time }, elsewhere);
    expect(made.backupID).toBe(first.backupID);
    expect(await contentOf(source.mountRoot)).toEqual(before);
  });

  it('takes the newest backup before the moment, and the segment that holds it', async () => {
    const made = await plan({ targetTime: at('two').time });
    expect(made.backupID).toBe(first.backupID);
    expect(made.targetTime).toBe(at('two').time.replace(/0+Z$/, 'Z'));
    expect(made.firstSegment).toBe(first.physical.beginSegment);
    expect(made.lastSegment >= first.physical.endSegment).toBe(true);
    expect(made.recovery).toMatchObject({ targetTimeline: 1, major: 15, systemIdentifier: source.systemIdentifier });
    expect(made.steps.at(-1)).toBe('Then ask the assertions, and remove the recovered server.');
    expect((await plan({ targetTime: at('four').time })).backupID).toBe(second.backupID);
  });

  it('reaches an LSN, a transaction, a restore point, the backup, and the end of the archive', async () => {
    expect(await plan({ targetLSN: at('two').lsn })).toMatchObject({
      backupID: first.backupID,
      recovery: { targetLSN: at('two').lsn },
    });
    expect((await plan({ targetXID: '999' })).steps.join(' ')).toMatch(/only replay finds out/);
    expect(await plan({ targetName: 'two' })).toMatchObject({ backupID: first.backupID });
    expect(await plan({ targetName: 'five' })).toMatchObject({ backupID: second.backupID });
    expect(await plan({ targetImmediate: true, backupID: first.backupID })).toMatchObject({
      lastSegment: first.physical.endSegment,
      recovery: { targetLSN: first.physical.endLSN, endOfArchive: first.physical.endLSN },
    });
    const end = await plan({});
    expect(end.backupID).toBe(second.backupID);
    expect(end.recovery.endOfArchiveTime).toBeDefined();
    expect(end.recovery.targetLSN).toBeUndefined();
  });
});

describe('a refusal', () => {
  it('of a moment after the last commit names a target that plans', async () => {
    const said = await refusal({ targetTime: '2099-01-01T00:00:00+01:00' });
    expect(said).toMatchObject({ reason: 'TargetAfterWindow' });
    expect(said.message).toMatch(/The last commit that is archived is of 20.*Leave the target out/);
    await plan({ targetLSN: nearestLsn(said.message) });
    const { endOfArchiveTime = '' } = (await plan({})).recovery;
    expect(await refusal({ targetTime: endOfArchiveTime })).toMatchObject({ reason: 'TargetAfterWindow' });
    await plan({ targetTime: endOfArchiveTime, exclusive: true });
  });

  it('of a moment or an LSN before every backup names the earliest', async () => {
    const said = await refusal({ targetTime: at('early').time });
    expect(said.reason).toBe('TargetBeforeWindow');
    expect(said.message).toContain(first.backupID);
    await plan({ targetTime: /nearest possible target is (\S+);/.exec(said.message)?.[1] ?? '' });
    expect(await refusal({ targetLSN: at('early').lsn })).toMatchObject({ reason: 'TargetBeforeWindow' });
    expect(await refusal({ targetTime: at('two').time, backupID: second.backupID })).toMatchObject({
      reason: 'TargetBeforeWindow',
    });
  });

  it('of an LSN after the archive’s end names one that plans', async () => {
    const said = await refusal({ targetLSN: '7F/0' });
    expect(said.reason).toBe('TargetAfterWindow');
    await plan({ targetLSN: nearestLsn(said.message) });
  });

  it('of an unknown name lists those that there are', async () => {
    const said = await refusal({ targetName: 'never' });
    expect(said.reason).toBe('RestorePointNotFound');
    expect(said.message).toContain('"five"');
    expect(said.message).not.toContain('"early"');
  });

  it('of an unknown backup, timeline, server, and of a small volume says what is needed', async () => {
    expect(await refusal({ backupID: '20200101T000000Z-physical-full' })).toMatchObject({ reason: 'BackupNotFound' });
    expect(await refusal({ targetTLI: 7 })).toMatchObject({ reason: 'TimelineUnreachable' });
    const { source: from } = taskFor({} as RecoveryPlan, {}, '/');
    expect(await refusal({}, { source: { ...from, systemIdentifier: '1' } })).toMatchObject({
      reason: 'BackupNotFound',
      message: expect.stringContaining(source.systemIdentifier),
    });
    expect(await refusal({}, { source: { ...from, policy: 'other' } })).toMatchObject({ reason: 'BackupNotFound' });
    const small = await refusal({}, { capacity: '10Mi' });
    expect(small).toMatchObject({ reason: 'InsufficientStorage', message: expect.stringContaining('10.0 MiB') });
  });

  it('of WAL that is missing names the segment and a target that plans', async () => {
    const volume = join(source.mountRoot, mounts.repository.volume(0), 'tidemark', source.archive.path, '00000001');
    const { lastSegment } = await plan({ targetName: 'three' });
    const file = join(volume, `${lastSegment}.zst`);
    await rename(file, `${file}.away`);
    try {
      const said = await refusal({ targetTime: at('three').time, backupID: first.backupID });
      expect(said.reason).toBe('WalMissing');
      expect(said.message).toContain(lastSegment);
      await plan({ targetLSN: nearestLsn(said.message), backupID: first.backupID });
      expect(await refusal({ backupID: first.backupID })).toMatchObject({ reason: 'WalMissing' });
      expect((await plan({})).backupID).toBe(second.backupID);
    } finally {
      await rename(`${file}.away`, file);
    }
  });
});

/** Every file, with its size and the time of its last change. */
async function contentOf(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder, { recursive: true })).sort();
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs, ctimeMs } = await stat(join(folder, name));
      return `${name} ${size} ${mtimeMs} ${ctimeMs}`;
    }),
  );
}
