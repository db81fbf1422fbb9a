import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { createSource, type Source } from '../recover/source.ts';
import { planOf, refusalOf } from '../recover-plan/plan-of.ts';
import { hour } from './manifest-of.ts';
import { expire, FakeCluster } from './world.ts';

let source: Source;
let first: PhysicalManifest;
let second: PhysicalManifest;
let third: PhysicalManifest;
const moments = new Map<string, string>();
const at = (name: string) => moments.get(name) ?? '';

/** A moment with a commit after it, in the archive. */
const mark = async (name: string) => {
  await source.server.psql(`INSERT INTO marks VALUES ('${name}')`);
  await delay(5);
  moments.set(
    name,
    await source.server.psql(`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`),
  );
  await delay(5);
  await source.server.psql(`INSERT INTO marks VALUES ('after ${name}')`);
  await source.ship();
};

const control = async (...args: readonly string[]) => {
  const { server, account } = source;
  const { uid, gid } = account;
  const all = ['-D', server.dataFolder, '-w', ...args];
  await execa(join(server.bin, 'pg_ctl'), all, { uid, gid, cwd: server.dataFolder, stdio: 'ignore' });
};

const promote = async () => {
  const { server, account } = source;
  const { uid, gid } = account;
  const signalFile = join(server.dataFolder, 'standby.signal');
  await writeFile(signalFile, '');
  await execa('chown', [`${uid}:${gid}`, signalFile]);
  await control('restart', '-m', 'fast', '-l', join(server.dataFolder, 'log'));
  await server.psql('SELECT pg_promote()');
  await server.psql('CHECKPOINT');
};

beforeAll(async () => {
  source = await createSource();
  await source.server.psql('CREATE TABLE marks (name text)');
  first = await source.backUp();
  await mark('one');
  // A backup's ID is the second in which it began.
  await delay(1000);
  second = await source.backUp();
  await mark('two');
  await promote();
  await mark('three');
  await delay(1000);
  third = await source.backUp();
  await mark('four');
}, 90_000);
afterAll(async () => {
  // Started anew, it is not the one that the source knows.
  await control('stop', '-m', 'immediate').catch(() => undefined);
  await source?.remove();
});

it('every promised instant has a recovery plan after what was not needed is gone, and one before is refused', async () => {
  const named = { name: 'local-disk', spec: backupRepositorySpec.parse({ volume: { claimName: 'backups' } }) };
  const place = { repository: named, mountRoot: source.mountRoot, cluster: new FakeCluster() };
  const wal = async () => {
    const found: string[] = [];
    for await (const { key } of source.store.list(`${source.archive.path}/`, { signal: AbortSignal.timeout(120_000) }))
      found.push(key.split('/').at(-1) ?? '');
    return found;
  };
  const whole = await wal();
  expect((await planOf(source, { targetTime: at('one') })).backupID).toBe(first.backupID);

  // As if an hour had passed since the second moment: the window begins there.
  const begins = Date.parse(at('two')) - Date.now();
  const rules = { recoveryWindow: '1h', keepLast: 2 };
  await expire(place, rules, { later: begins + hour });
  expect(await wal()).toEqual(whole);
  const said = await expire(place, rules, { later: begins + 2 * hour + 5000 });
  expect(said.message).toMatch(/^Deleted 1 backup and [1-9][0-9]* WAL segments?/);

  const left = await wal();
  expect(left).toContain('00000002.history');
  expect(left).toContain(`${second.physical.beginSegment}.zst`);
  expect(whole.filter((name) => !left.includes(name))).toEqual(
    whole.filter((name) => name < second.physical.beginSegment && !name.includes('history')),
  );
  expect(await planOf(source, { targetTime: at('two') })).toMatchObject({ backupID: second.backupID });
  expect(await planOf(source, { targetTime: at('three') })).toMatchObject({ backupID: second.backupID, timeline: 2 });
  expect(await planOf(source, { targetTime: at('four') })).toMatchObject({ backupID: third.backupID });
  expect(await planOf(source, { targetTime: at('two'), targetTLI: 1 })).toMatchObject({ timeline: 1 });
  const refused = await refusalOf(source, { targetTime: at('one') });
  expect(refused.reason).toBe('TargetBeforeWindow');
  expect(refused.message).toContain(second.backupID);
}, 60_000);
