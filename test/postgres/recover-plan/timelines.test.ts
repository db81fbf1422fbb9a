import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { createSource, type Source } from '../recover/source.ts';
import { anywhere, planOf, refusalOf } from './plan-of.ts';

let source: Source;
let first: PhysicalManifest;
let second: PhysicalManifest;
const times: string[] = [];

const control = (...args: readonly string[]) => {
  const { server, account } = source;
  const { uid, gid } = account;
  return execa(join(server.bin, 'pg_ctl'), ['-D', server.dataFolder, '-w', ...args], {
    uid,
    gid,
    cwd: server.dataFolder,
    stdio: 'ignore',
  });
};

const promote = async () => {
  const signalFile = join(source.server.dataFolder, 'standby.signal');
  await writeFile(signalFile, '');
  await execa('chown', [`${source.account.uid}:${source.account.gid}`, signalFile]);
  await control('restart', '-m', 'fast', '-l', join(source.server.dataFolder, 'log'));
  await source.server.psql('SELECT pg_promote()');
  await source.server.psql('CHECKPOINT');
};
const mark = async (name: string) => {
  await source.server.psql(`INSERT INTO marks VALUES ('${name}')`);
  times.push(
    await source.server.psql(`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`),
  );
  await delay(5);
  await source.server.psql(`SELECT pg_create_restore_point('${name}'); INSERT INTO marks VALUES ('after')`);
  await source.ship();
};

beforeAll(async () => {
  source = await createSource();
  await source.server.psql('CREATE TABLE marks (name text)');
  first = await source.backUp();
  await mark('on-1');
  await promote();
  await mark('on-2');
  await delay(1100);
  second = await source.backUp();
  await mark('still-on-2');
  await promote();
  await mark('on-3');
}, 60_000);
afterAll(async () => {
  await control('stop', '-m', 'immediate');
  await source?.remove();
});

describe('after two promotions', () => {
  it('a plan follows the latest timeline, and says the way', async () => {
    const made = await planOf(source, {});
    expect(made).toMatchObject({ backupID: second.backupID, timeline: 3, recovery: { beginTimeline: 2 } });
    expect(made.lastSegment.slice(0, 8)).toBe('00000003');
    expect(made.steps.join(' ')).toMatch(/along timeline 1 to 0\/\w+, then 2 to 0\/\w+, then 3\..*to timeline 4/);
  });

  it('a plan from the first backup goes over all three', async () => {
    const made = await planOf(source, { backupID: first.backupID, targetName: 'on-3' });
    expect(made.firstSegment.slice(0, 8)).toBe('00000001');
    expect(made.lastSegment.slice(0, 8)).toBe('00000003');
    expect(made.timeline).toBe(3);
  });

  it('an old timeline is recovered on its own', async () => {
    const old = await planOf(source, { targetTLI: 1 });
    expect(old).toMatchObject({ backupID: first.backupID, timeline: 1 });
    expect(old.steps.join(' ')).toContain('Promote the server to timeline 4');
    expect(await planOf(source, { targetTLI: 'current', backupID: second.backupID })).toMatchObject({ timeline: 2 });
    expect(await planOf(source, { targetTime: times[1] ?? '' })).toMatchObject({
      backupID: first.backupID,
      timeline: 3,
    });
    expect(await refusalOf(source, { targetTLI: 1, targetName: 'on-2' })).toMatchObject({
      reason: 'RestorePointNotFound',
      message: expect.stringContaining('"on-1"'),
    });
  });

  it('a backup that is not on the way is refused with the way', async () => {
    const said = await refusalOf(source, { targetTLI: 1, backupID: second.backupID });
    expect(said.reason).toBe('TimelineUnreachable');
    expect(said.message).toContain('on timeline 2, which is no ancestor of timeline 1');
    expect(said.message).toContain('Leave backupID out. Set recoveryTarget.targetTLI to 1 or 2');
  });

  it('two servers under one policy are told apart', async () => {
    await source.store.put('shop/orders/4711/backups/x/started.json', Buffer.from('{}'), {
      ifAbsent: true,
      signal: AbortSignal.timeout(120_000),
    });
    const said = await refusalOf(source, {});
    expect(said.reason).toBe('AmbiguousSource');
    expect(said.message).toContain(`newest backup ${second.backupID}`);
    const of = { ...anywhere.source, systemIdentifier: source.systemIdentifier };
    expect((await planOf(source, {}, { source: of })).backupID).toBe(second.backupID);
  });
});
