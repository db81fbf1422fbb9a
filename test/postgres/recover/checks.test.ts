import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckResult } from '../../../src/api/checks.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import type { RecoverTask } from '../../../src/domain/task.ts';
import { removeBackup } from '../../../src/repository/backups.ts';
import { putVerdict, readVerdict } from '../../../src/repository/verdicts.ts';
import { planOf } from '../recover-plan/plan-of.ts';
import { recover } from './recovery.ts';
import { createSource, ownedFolder, planFor, type Source, taskFor } from './source.ts';

let source: Source;
let sound: PhysicalManifest;
let end: string;
let number = 0;

const everything = { verifyBackup: true, dataChecksums: true, amcheck: true, dump: true };
const pathOf = (manifest: PhysicalManifest) => planFor(manifest, '0/0').backupPath;
const good = { database: 'shop', query: 'SELECT count(*) FROM orders', expect: '1000' };

beforeAll(async () => {
  // What vacuum writes anew is damaged no more.
  source = await createSource({ autovacuum: 'off' }, { dataChecksums: true });
  const location = await ownedFolder(join(source.root, 'elsewhere'), source.account);
  await source.server.psql(`CREATE TABLESPACE elsewhere LOCATION '${location}'`);
  await source.server.psql('CREATE DATABASE shop');
  await source.server.psql(
    `CREATE TABLE orders (number int PRIMARY KEY, said text);
     INSERT INTO orders SELECT n, repeat(md5(n::text), 4) FROM generate_series(1, 1000) n;
     CREATE TABLE far TABLESPACE elsewhere AS SELECT * FROM orders;
     CREATE FUNCTION side(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n';
     CREATE INDEX by_side ON orders (side(number))`,
    'shop',
  );
  sound = await source.backUp();
  end = await source.ship();
}, 60_000);
afterAll(() => source?.remove());

const ask = async (manifest: PhysicalManifest, more: Partial<RecoverTask> = {}) => {
  number += 1;
  const dataDirectory = join(source.root, `scratch-${number}`);
  const task = taskFor(planFor(manifest, end), {}, dataDirectory, {
    checks: everything,
    assertions: [good],
    ephemeral: true,
    ...more,
  });
  const found = await recover(source, task);
  const checks = (found.status.checks ?? []) as readonly CheckResult[];
  return { found, checks, outcomes: Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome])) };
};
const messageOf = (checks: readonly CheckResult[], wanted: CheckResult['name']) =>
  checks.find(({ name }) => name === wanted)?.message;

describe('a backup that is verified', () => {
  it('passes every check where it is sound, writes nothing to the archive, and says where the seconds went', async () => {
    const archived = await readdir(source.archived);
    const stored = await source.archive.timelines({ signal: AbortSignal.timeout(120_000) });
    const quiet = { database: 'shop', query: 'SHOW archive_mode', expect: 'off' };
    const { found, outcomes } = await ask(sound, { assertions: [good, quiet], askedTime: '2026-01-01T00:00:00Z' });
    expect(found.failure, found.log).toBeUndefined();
    expect(outcomes).toEqual({
      VerifyBackup: 'Passed',
      Amcheck: 'Passed',
      Dump: 'Passed',
      Assertions: 'Passed',
      DataChecksums: 'Passed',
    });
    expect(found.outcome?.message).toMatch(/Passed: VerifyBackup, Amcheck, Dump, Assertions, DataChecksums\.$/);
    expect(await readdir(source.archived)).toEqual(archived);
    expect(await source.archive.timelines({ signal: AbortSignal.timeout(120_000) })).toEqual(stored);
    const { rtoSeconds, parts } = found.status.measured as {
      readonly rtoSeconds: number;
      readonly parts: Readonly<Record<string, number>>;
    };
    expect(rtoSeconds).toBeGreaterThan(86_400);
    expect(Object.keys(parts)).toEqual(['planning', 'base', 'replay', 'checks']);
    expect(Math.abs((parts.planning ?? 0) + (parts.base ?? 0) + (parts.replay ?? 0) - rtoSeconds)).toBeLessThan(3);
  });

  it('fails where files are not what the server has listed, before any server starts on them', async () => {
    const altered = await source.backUp({ alter: (folder) => scribble(join(folder, 'PG_VERSION'), 0, '51') });
    const { found, checks, outcomes } = await ask(altered);
    expect(outcomes).toEqual({ VerifyBackup: 'Failed' });
    expect(messageOf(checks, 'VerifyBackup')).toMatch(/checksum mismatch for file "PG_VERSION"/);
    expect(found.failure).toMatchObject({ reason: 'VerificationFailed', retryable: false });
    expect(found.log).not.toMatch(/starting PostgreSQL/);
  });

  it('has what was found out beside it in the repository, and a plan goes by that', async () => {
    const verdict = { partial: false };
    const { found } = await ask(sound, { verdict, checks: { ...everything, amcheck: false, dump: false } });
    expect(found.failure, found.log).toBeUndefined();
    const signal = AbortSignal.timeout(120_000);
    const { rtoSeconds } = found.status.measured as { readonly rtoSeconds: number };
    expect(await readVerdict(source.store, pathOf(sound), signal)).toEqual({
      outcome: 'Good',
      found: {
        time: expect.any(String),
        by: 'before-the-delete',
        namespace: 'shop',
        restoreSeconds: rtoSeconds,
      },
    });
    await source.ship();
    const before = (await planOf(source, {})).backupID;
    const altered = await source.backUp({ alter: (folder) => scribble(join(folder, 'PG_VERSION'), 0, '51') });
    await source.ship();
    expect((await planOf(source, {})).backupID).toBe(altered.backupID);
    await ask(altered, { verdict });
    expect(await readVerdict(source.store, pathOf(altered), signal)).toMatchObject({
      outcome: 'Bad',
      found: { reason: 'VerificationFailed', message: expect.stringContaining('PG_VERSION') },
    });
    const plan = await planOf(source, {});
    expect(plan.backupID).toBe(before);
    expect(plan.steps.join(' ')).toContain(`Pass over ${altered.backupID}, which failed its verification`);
    const named = await planOf(source, { backupID: altered.backupID });
    expect(named.steps.join(' ')).toContain(`Use backup ${altered.backupID} though it failed its verification`);
    // A drill, or a verification that ends for another reason, says nothing.
    await putVerdict(
      source.store,
      pathOf(altered),
      'Good',
      { time: new Date().toISOString(), by: 'x', namespace: 'shop' },
      signal,
    );
    await ask(altered);
    expect(await readVerdict(source.store, pathOf(altered), signal)).toMatchObject({ outcome: 'Good' });
    await removeBackup(source.store, pathOf(altered), signal);
  });

  it('fails for each of what is wrong with it, by name', async () => {
    await source.server.psql('CREATE TABLE worn AS SELECT * FROM orders; CHECKPOINT', 'shop');
    const path = await source.server.psql("SELECT pg_relation_filepath('worn')", 'shop');
    await scribble(join(source.server.dataFolder, path), 8192 + 4000, 'worn out');
    await source.server.psql(
      "CREATE OR REPLACE FUNCTION side(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -n'",
      'shop',
    );
    const damaged = await source.backUp({ unverified: true });
    end = await source.ship();
    const { found, checks, outcomes } = await ask(damaged, { assertions: [{ ...good, expect: '7' }] });
    expect(outcomes, found.log).toEqual({
      VerifyBackup: 'Passed',
      Amcheck: 'Failed',
      Dump: 'Failed',
      Assertions: 'Failed',
      DataChecksums: 'Failed',
    });
    expect(messageOf(checks, 'Amcheck')).toMatch(/btree index "shop\.public\.by_side": .*lacks matching index tuple/);
    expect(messageOf(checks, 'Dump')).toMatch(/database shop: .*"?worn"?.*invalid page in block 1/s);
    expect(messageOf(checks, 'Assertions')).toMatch(/gave "1000" instead of "7"/);
    expect(messageOf(checks, 'DataChecksums')).toContain(`${path} (database shop, table public.worn), block 1`);
    expect(found.failure?.reason).toBe('VerificationFailed');
    expect(found.failure?.message).toMatch(/Amcheck: .*Dump: .*Assertions: .*DataChecksums: /s);
  });
});

/** As a disk does it: nobody is told. */
async function scribble(path: string, position: number, text: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(Buffer.from(text), 0, text.length, position);
    await file.sync();
  } finally {
    await file.close();
  }
}
