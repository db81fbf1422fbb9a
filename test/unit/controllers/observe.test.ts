import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Caches } from '../../../src/controllers/context.ts';
import { figuresOf } from '../../../src/controllers/observe/figures-of.ts';
import { type FigureName, figures } from '../../../src/observability/figures.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';
import { now, policy, recovery, repository, run } from './objects.ts';

interface World {
  readonly policies?: readonly object[];
  readonly runs?: readonly object[];
  readonly recoveries?: readonly object[];
  readonly repositories?: readonly object[];
}

const observed = (world: World) =>
  ({
    policies: { list: () => world.policies ?? [policy()] },
    runs: { byIndex: (_index: string, key: string) => (key === 'shop/orders' ? (world.runs ?? []) : []) },
    recoveries: { list: () => world.recoveries ?? [] },
    repositories: { list: () => world.repositories ?? [] },
  }) as unknown as Caches;

/** `name{labels}` to its value, of what is known. */
const told = (world: World) =>
  Object.fromEntries(
    [...figuresOf(observed(world), now)].flatMap(({ name, labels, value }) => {
      const { namespace, policy: _policy, repository: _repository, ...more } = labels;
      expect(namespace).toBe('shop');
      return value === undefined ? [] : [[[name, ...Object.values(more)].join(' '), value]];
    }),
  );
const seconds = (time: string) => Date.parse(time) / 1000;

describe('the figures of a policy', () => {
  test('that has done nothing yet are what it asks for, and no zero that would read as 1970', () => {
    expect(told({})).toEqual({
      policy_created_timestamp_seconds: seconds('2026-03-10T11:59:30Z'),
      policy_stalled: 0,
      policy_suspended: 0,
      'schedule_interval_seconds Logical': 86_400,
    });
  });

  test('say the newest run of each method that ended well, and the newest that did not', () => {
    const over = (phase: string, hour: number, method = 'Logical') =>
      run({
        spec: { method },
        status: {
          phase,
          startTime: `2026-03-10T0${hour}:00:00Z`,
          completionTime: `2026-03-10T0${hour}:00:30Z`,
          size: { source: String(hour * 5), stored: String(hour), compressionRatio: '5.00' },
        },
      });
    const runs = [over('Completed', 1), over('Completed', 3), over('Completed', 2), over('Failed', 4), run()];
    const figure = told({ runs: [...runs, over('Completed', 5, 'Physical')] });
    expect(figure).toMatchObject({
      'last_success_timestamp_seconds Logical': seconds('2026-03-10T03:00:30Z'),
      'last_failure_timestamp_seconds Logical': seconds('2026-03-10T04:00:30Z'),
      'last_success_timestamp_seconds Physical': seconds('2026-03-10T05:00:30Z'),
      'backup_duration_seconds Logical': 30,
      'backup_source_bytes Logical': 15,
      'backup_stored_bytes Logical': 3,
      'backup_compression_ratio Logical': 5,
      'backup_runs Completed': 4,
      'backup_runs Failed': 1,
      'backup_runs Pending': 1,
    });
    expect(figure).not.toHaveProperty('last_failure_timestamp_seconds Physical');
  });

  test('say how the archive follows, and nothing where that is unknown', () => {
    const conditions = (status: string) => [
      { type: 'ContinuousArchiving', status, reason: 'Any', message: '', lastTransitionTime: '2026-03-10T00:00:00Z' },
    ];
    const wal = { lagBytes: '1048576', lagSeconds: 7, pendingSegments: 2, gaps: [], slot: { safeBytes: '99' } };
    const restorable = { earliestTime: '2026-03-01T00:00:00Z', latestTime: '2026-03-10T11:00:00Z' };
    const archiving = (status: string) =>
      told({ policies: [policy({ status: { wal, restorable, conditions: conditions(status) } })] });
    expect(archiving('True')).toMatchObject({
      wal_archiving: 1,
      wal_lag_bytes: 1_048_576,
      wal_lag_seconds: 7,
      wal_pending_segments: 2,
      wal_gaps: 0,
      wal_slot_safe_bytes: 99,
      restorable_earliest_timestamp_seconds: seconds('2026-03-01T00:00:00Z'),
      restorable_latest_timestamp_seconds: seconds('2026-03-10T11:00:00Z'),
    });
    expect(archiving('False')).toMatchObject({ wal_archiving: 0 });
    expect(archiving('Unknown')).not.toHaveProperty('wal_archiving');
  });

  test('say what verifications found, and when the next one is due', () => {
    const verified = (time: string) => run({ name: time, status: { verified: { time, restoreSeconds: 19 } } });
    const conditions = [
      { type: 'Verified', status: 'False', reason: 'Any', message: '', lastTransitionTime: '2026-03-10T00:00:00Z' },
    ];
    const verification = { since: '2026-03-01T00:00:00Z', nextTime: '2026-03-11T05:00:00Z' };
    const figure = told({
      policies: [policy({ spec: { verification: { cron: '0 5 * * *' } }, status: { conditions, verification } })],
      runs: [verified('2026-03-08T05:00:00Z'), verified('2026-03-07T05:00:00Z')],
    });
    expect(figure).toMatchObject({
      verification_succeeded: 0,
      last_verification_timestamp_seconds: seconds('2026-03-08T05:00:00Z'),
      verification_restore_seconds: 19,
      verification_interval_seconds: 86_400,
      verification_since_timestamp_seconds: seconds('2026-03-01T00:00:00Z'),
      next_verification_timestamp_seconds: seconds('2026-03-11T05:00:00Z'),
    });
    expect(told({ policies: [policy()] })).not.toHaveProperty('verification_succeeded');
  });

  test('say what became of its hooks, and nothing where none has run', () => {
    const hooked = (name: string, ...results: readonly object[]) => run({ name, status: { hooks: { results } } });
    const conditions = [
      {
        type: 'HooksSucceeded',
        status: 'False',
        reason: 'Any',
        message: '',
        lastTransitionTime: '2026-03-10T00:00:00Z',
      },
    ];
    const failed = { hook: 'postBackup[0]', state: 'Failed', onError: 'Fail' };
    const figure = told({
      policies: [policy({ status: { conditions } })],
      runs: [
        hooked('a', { hook: 'preBackup[0]', state: 'Succeeded', onError: 'Continue' }, failed),
        hooked('b', failed, { hook: 'postBackup[1]', state: 'Failed', onError: 'Continue' }),
      ],
    });
    expect(figure).toMatchObject({
      hooks_succeeded: 0,
      'hook_failures preBackup Continue': 0,
      'hook_failures postBackup Fail': 2,
      'hook_failures postBackup Continue': 1,
    });
    expect(Object.keys(told({ runs: [run()] })).filter((name) => name.startsWith('hook'))).toEqual([]);
  });

  test('say what its newest drill measured; a copy of a table is no drill, and a failed one measured nothing', () => {
    const drill = (phase: string, hour: number, spec: object = {}, rtoSeconds = hour) =>
      recovery({
        name: `at-${hour}`,
        spec: { source: { policyRef: { name: 'orders' } }, target: { ephemeral: {} }, ...spec },
        status: {
          phase,
          completionTime: `2026-03-10T0${hour}:00:00Z`,
          ...(phase === 'Completed' ? { measured: { rtoSeconds, rpoSeconds: 1 } } : {}),
        },
      });
    const extract = {
      databases: [{ name: 'orders' }],
      into: { host: 'db.example', credentialsSecretRef: { name: 'db' } },
    };
    expect(
      told({ recoveries: [drill('Completed', 2), drill('Failed', 3), drill('Completed', 4, { extract })] }),
    ).toMatchObject({
      last_drill_timestamp_seconds: seconds('2026-03-10T03:00:00Z'),
      drill_succeeded: 0,
      drill_rto_seconds: 2,
      drill_rpo_seconds: 1,
    });
  });

  test('of an object that nobody can read are missing, and the others’ are there', () => {
    const broken = { metadata: { namespace: 'shop', name: 'old' } };
    const figure = told({
      policies: [broken, policy()],
      repositories: [repository({ status: { backups: 3, storedBytes: '12' } })],
    });
    expect(figure).toMatchObject({ policy_suspended: 0, repository_backups: 3, repository_stored_bytes: 12 });
  });
});

test('a series goes when it is not known any more', async () => {
  const metrics = createMetrics();
  const series = async () =>
    (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('tidemark_policy_suspended'));
  metrics.observe(figuresOf(observed({}), now));
  expect(await series()).toEqual(['tidemark_policy_suspended{namespace="shop",policy="orders"} 0']);
  metrics.observe(figuresOf(observed({ policies: [] }), now));
  expect(await series()).toEqual([]);
});

test('docs/metrics.md tells of every figure, with its labels', () => {
  const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const lines = page.split('\n').flatMap((line) => /^\| `tidemark_(\w+)` \| ([\w, ]*) \|/.exec(line)?.slice(1) ?? []);
  const documented = new Map(
    Array.from({ length: lines.length / 2 }, (_, index) => [lines[index * 2], lines[index * 2 + 1]]),
  );
  for (const name of Object.keys(figures) as FigureName[])
    expect(documented.get(name), name).toBe(figures[name][1].join(', '));
});
