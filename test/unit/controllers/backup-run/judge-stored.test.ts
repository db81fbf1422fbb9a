import { describe, expect, test } from 'vitest';
import { judgeStored, warningsOf } from '../../../../src/controllers/backup-run/judge-stored.ts';
import { run } from '../objects.ts';

const scheduled = { labels: { 'tidemark.dev/schedule': 'nightly' } };

function stored(name: string, bytes: number, more: { metadata?: object; spec?: object; status?: object } = {}) {
  return run({
    name,
    metadata: { ...scheduled, ...more.metadata },
    spec: { ...more.spec },
    status: {
      phase: 'Completed',
      backupID: `${name}-logical`,
      size: { stored: String(bytes) },
      databases: [{ name: 'shop', storedBytes: String(bytes), state: 'Stored' }],
      ...more.status,
    },
  });
}

const judged = (own: ReturnType<typeof stored>, others: readonly ReturnType<typeof stored>[] = []) =>
  judgeStored(own, others, 'Completed').map(({ type, status, reason }) => [type, status, reason].join(' '));

describe('the roles', () => {
  test.each<[object, readonly string[]]>([
    [{}, []],
    [{ globals: { storedBytes: '10' } }, ['GlobalsComplete True Stored']],
    [{ globals: { storedBytes: '10', withPasswords: true } }, ['GlobalsComplete True Stored']],
    [{ globals: { storedBytes: '10', withPasswords: false } }, ['GlobalsComplete False RolesWithoutPasswords']],
  ])('%j', (status, expected) => {
    expect(judged(stored('a', 1e6, { status }))).toEqual(expected);
  });

  test('without passwords are told with what to do', () => {
    const own = stored('a', 1e6, { status: { globals: { withPasswords: false } } });
    const [condition] = judgeStored(own, [], 'Failed');
    expect(condition?.message).toMatch(/GRANT pg_read_all_data .*logical\.globals: None/);
    expect(warningsOf(undefined, condition === undefined ? [] : [condition])).toMatchObject([
      { type: 'Warning', reason: 'RolesWithoutPasswords' },
    ]);
  });
});

test('what pg_dump warned of is named with its database', () => {
  const databases = [
    { name: 'a', state: 'Stored' },
    { name: 'b', state: 'Stored', message: 'pg_dump: subscriptions not dumped' },
    { name: 'c', state: 'Failed', message: 'no right' },
  ];
  const [condition] = judgeStored(run({ status: { databases } }), [], 'Failed');
  expect(condition).toMatchObject({ type: 'DumpsComplete', status: 'False', reason: 'DumpWarnings' });
  expect(condition?.message).toMatch(/b: pg_dump: subscriptions not dumped$/);
});

test('databases that were dropped meanwhile are named, beside what pg_dump warned of', () => {
  const gone = { name: 'gone', state: 'Dropped', message: 'It was dropped' };
  const [dropped] = judgeStored(
    run({ status: { databases: [{ name: 'a', state: 'Stored' }, gone] } }),
    [],
    'Completed',
  );
  expect(dropped).toMatchObject({ type: 'DumpsComplete', status: 'False', reason: 'DatabasesDropped' });
  expect(dropped?.message).toMatch(/not in it: gone\. .*databases\.include/);
  const warned = { name: 'a', state: 'Stored', message: 'pg_dump: subscriptions not dumped' };
  const [both] = judgeStored(run({ status: { databases: [warned, gone] } }), [], 'Completed');
  expect(both).toMatchObject({ reason: 'DumpWarnings', message: expect.stringMatching(/gone\..*subscriptions/) });
});

describe('a stored backup whose databases the agent could not tell', () => {
  const lost = (databases: readonly object[] | undefined) =>
    judgeStored(stored('b', 9e5, { status: { databases } }), [stored('a', 1e6)], 'Completed').map(
      ({ type, status, reason }) => [type, status, reason].join(' '),
    );

  test.each([[[{ name: 'shop', state: 'Pending' }]], [[]], [undefined]])(
    '%j is unknown, and has not collapsed',
    (told) => {
      expect(lost(told)).toEqual(['DumpsComplete Unknown DatabasesNotTold', 'SizeAsExpected True AsBefore']);
    },
  );

  test('is compared as a whole', () => {
    const own = stored('b', 1000, { status: { databases: [{ name: 'shop', state: 'Pending' }] } });
    const condition = judgeStored(own, [stored('a', 1e6)], 'Completed').find(({ type }) => type === 'SizeAsExpected');
    expect(condition?.message).toMatch(/as a whole 1000 bytes instead of 1000000\. Look/);
  });

  test('of a physical backup there are none to tell', () => {
    const own = stored('b', 1e6, { spec: { method: 'Physical' }, status: { databases: undefined } });
    expect(judged(own)).toEqual([]);
  });
});

describe('a size that collapsed', () => {
  test('is a warning that names both sizes and the backup to keep', () => {
    const own = stored('c', 1000);
    const others = [stored('a', 1e6), stored('b', 1.2e6)];
    const [condition] = judgeStored(own, others, 'Completed');
    expect(condition).toMatchObject({ type: 'SizeAsExpected', status: 'False', reason: 'SizeCollapsed' });
    expect(condition?.message).toMatch(/as a whole 1000 bytes instead of 1200000; database shop .*hold: true in b/);
  });

  test.each<[string, ReturnType<typeof stored>]>([
    ['of another schedule', stored('a', 1e9, { metadata: { labels: { 'tidemark.dev/schedule': 'weekly' } } })],
    ['made by hand', stored('a', 1e9, { metadata: { labels: {} } })],
    ['of another method', stored('a', 1e9, { spec: { method: 'Physical' } })],
    ['that failed', stored('a', 1e9, { status: { phase: 'Failed' } })],
    ['that says nothing of its size', stored('a', 1e9, { status: { size: undefined } })],
  ])('is not one beside a backup %s', (_, other) => {
    expect(judged(stored('b', 1000), [other])).toEqual([]);
  });

  test('is not looked for where databases failed, which says so by itself', () => {
    expect(judgeStored(stored('b', 1000), [stored('a', 1e9)], 'Failed')).toEqual([]);
  });

  test('that did not is said too', () => {
    expect(judged(stored('b', 1e6), [stored('a', 1e6)])).toEqual(['SizeAsExpected True AsBefore']);
  });
});

test('an Event comes when it becomes known, and not again', () => {
  const own = stored('b', 1000);
  const conditions = judgeStored(own, [stored('a', 1e9)], 'Completed');
  expect(warningsOf(undefined, conditions)).toHaveLength(1);
  const time = '2026-03-10T12:00:00Z';
  const before = conditions.map((each) => ({ ...each, lastTransitionTime: time, observedGeneration: 1 }));
  expect(warningsOf(before, conditions)).toEqual([]);
});
