import { describe, expect, test } from 'vitest';
import { beganAt, compare, type KnownRun, type ListedBackup } from '../../../../src/domain/catalogue/compare.ts';

const root = 'shop/orders/7/backups';
const day = (number: number) => new Date(Date.UTC(2026, 2, number));
const idOf = (number: number) => `202603${String(number).padStart(2, '0')}T000000Z-logical`;

function listed(number: number, change: Partial<ListedBackup> = {}): ListedBackup {
  const backupID = idOf(number);
  return {
    path: `${root}/${backupID}`,
    backupID,
    namespace: 'shop',
    policy: 'orders',
    manifestTime: day(number),
    held: false,
    bytes: 1,
    ...change,
  };
}

function run(number: number, change: Partial<KnownRun> = {}, place = {}): KnownRun {
  const path = `${root}/${idOf(number)}`;
  return {
    name: `run-${number}`,
    uid: `u${number}`,
    hold: false,
    backupID: idOf(number),
    checksum: undefined,
    unwritten: undefined,
    places: [{ name: 'store', state: 'Stored', path, held: false, lost: false, ...place }],
    ...change,
  };
}

function compared(backups: readonly ListedBackup[], runs: readonly KnownRun[], change: object = {}) {
  const found = compare({
    repository: 'store',
    namespace: 'shop',
    namespaces: ['shop'],
    runs,
    listed: new Map(backups.map((each) => [each.path, each])),
    knownUntil: undefined,
    limits: [],
    ...change,
  });
  const names = (places: typeof found.missing) => places.map(({ run: { name } }) => name);
  return {
    fresh: found.fresh.map(({ backupID }) => backupID),
    missing: names(found.missing),
    found: names(found.found),
    holds: names(found.holds),
  };
}

describe('a backup that no BackupRun is known of', () => {
  test('is fresh in a bare cluster, the newest first', () => {
    expect(compared([listed(1), listed(3), listed(2)], []).fresh).toEqual([idOf(3), idOf(2), idOf(1)]);
  });

  test('is not, where it was made known once: whoever deleted its BackupRun does not get it back', () => {
    const backups = [listed(1), listed(5)];
    expect(compared(backups, [], { knownUntil: day(3) }).fresh).toEqual([idOf(5)]);
  });

  test('is, where it came late, whenever it began', () => {
    expect(compared([listed(1, { manifestTime: day(9) })], [], { knownUntil: day(5) }).fresh).toEqual([idOf(1)]);
  });

  test('may be, where only its folder is known, if it began within a week', () => {
    const unknown = { manifestTime: undefined, held: undefined };
    const backups = [listed(1, unknown), listed(4, unknown)];
    expect(compared(backups, [], { knownUntil: day(10) }).fresh).toEqual([idOf(4)]);
  });

  test('is none without a manifest', () => {
    expect(compared([listed(1, { manifestTime: null })], []).fresh).toEqual([]);
  });

  test('is made known up to historyLimits, and what is held in any case: what would be pruned at once is not made', () => {
    const backups = [listed(1, { held: true }), listed(2), listed(3), listed(4), listed(5, { manifestTime: null })];
    const limits = [{ policy: 'orders', succeeded: 2 }];
    expect(compared(backups, [], { limits }).fresh).toEqual([idOf(4), idOf(3), idOf(1)]);
  });

  test('of another namespace no policy here has a limit for', () => {
    const foreign = { namespace: 'prod', path: `prod/orders/7/backups/${idOf(1)}` };
    const limits = [{ policy: 'orders', succeeded: 1 }];
    expect(compared([listed(1, foreign), listed(2), listed(3)], [], { limits }).fresh).toEqual([idOf(3), idOf(1)]);
  });

  test('is again, where its BackupRun was created and never described', () => {
    const begun = run(1, {
      backupID: undefined,
      places: [],
      unwritten: { path: `${root}/${idOf(1)}`, repository: 'store' },
    });
    expect(compared([listed(1)], [begun], { knownUntil: day(20) }).fresh).toEqual([idOf(1)]);
  });
});

describe('a BackupRun', () => {
  test.each([
    ['whose backup is listed', listed(1), {}, []],
    ['whose folder is gone', undefined, {}, ['run-1']],
    ['whose manifest is gone', listed(1, { manifestTime: null }), {}, ['run-1']],
    ['of which only the folder was listed', listed(1, { manifestTime: undefined }), {}, []],
    ['that is still stored in another repository only', undefined, { name: 'other' }, []],
    ['of a namespace that was not looked at', undefined, { path: `prod/orders/7/backups/${idOf(1)}` }, []],
    ['that was not stored yet', undefined, { state: 'Pending' }, []],
    ['whose backup retention has deleted', undefined, { state: 'Removed' }, []],
  ])('%s', (_, there, place, missing) => {
    expect(compared(there === undefined ? [] : [there], [run(1, {}, place)]).missing).toEqual(missing);
  });

  test('whose backup was lost and is there again is found; one that retention deleted is not', () => {
    const removed = { state: 'Removed' };
    expect(compared([listed(1)], [run(1, {}, { ...removed, lost: true })]).found).toEqual(['run-1']);
    expect(compared([listed(1)], [run(1, {}, removed)]).found).toEqual([]);
    expect(compared([], [run(1, {}, { ...removed, lost: true })]).found).toEqual([]);
  });

  test.each([
    ['set', { hold: true }, {}, {}, ['run-1']],
    ['told', { hold: true }, { held: true }, { held: true }, []],
    ['told, and removed by somebody', { hold: true }, { held: true }, { held: false }, ['run-1']],
    ['taken back', {}, { held: true }, { held: true }, ['run-1']],
    ['of another cluster', {}, {}, { held: true }, []],
    ['told, of which only the folder was listed', { hold: true }, { held: true }, { held: undefined }, []],
  ])('with a hold that was %s', (_, change, place, there, holds) => {
    expect(compared([listed(1, there)], [run(1, change, place)]).holds).toEqual(holds);
  });
});

test('an ID tells when its backup began', () => {
  expect(beganAt('20261121T001541Z-physical-full-2')).toEqual(new Date('2026-11-21T00:15:41Z'));
  expect(beganAt('what-is-it')).toBeUndefined();
  expect(beganAt('20269921T001541Z-logical')).toBeUndefined();
});
