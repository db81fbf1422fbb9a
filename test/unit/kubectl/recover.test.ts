import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { useKubectl } from './kubectl.ts';
import { policy, repository } from './objects.ts';

const world = useKubectl();
const path = '/apis/tidemark.dev/v1alpha1/namespaces/shop/pitrrecoveries';
const steps = ['Lay base backup 20261115T001500Z-physical-full into /data.', 'Replay 12 WAL segments.'];

const workload = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'orders-db', namespace: 'shop' },
  spec: { volumeClaimTemplates: [{ spec: { resources: { requests: { storage: '20Gi' } } } }] },
};

/** The operator: plans what is a dry run, and does the rest. */
function operate(outcome: object = {}): void {
  world.cluster.react = (made) => {
    const { dryRun } = made['spec'] as { readonly dryRun?: boolean };
    const done = {
      phase: 'Completed',
      conditions: [{ type: 'Succeeded', status: 'True', reason: 'TargetReached', message: 'done' }],
      reached: { time: '2026-11-21T10:04:59.812Z', timeline: 3 },
      measured: { rtoSeconds: 41, rpoSeconds: 0 },
      plan: { backupID: '20261115T001500Z-physical-full', walBytes: '369098752' },
      endpoint: { service: 'orders-recovered', port: 5432 },
      ...outcome,
    };
    return [{ ...made, status: dryRun === true ? { phase: 'Completed', plan: { steps } } : done }];
  };
}

describe('recover', () => {
  test('asks back with the exact instant and the plan, does it on yes, and takes the plan away', async () => {
    world.cluster.put(policy(), workload);
    operate();
    const { code, out, err, questions } = await world.kubectl(['recover', 'orders', '--to', '10 minutes ago'], {
      answer: true,
    });
    expect(code).toBe(0);
    expect(err).toBe(
      [
        'Planning; nothing is touched.',
        'Target: 2026-11-21T10:05:00Z, which is 2026-11-21 11:05:00 +01:00 here (10 min ago).',
        'Into: a new StatefulSet orders-recovered with 20Gi; nothing that runs is touched.',
        'The plan:',
        '  1. Lay base backup 20261115T001500Z-physical-full into /data.',
        '  2. Replay 12 WAL segments.',
        'PitrRecovery orders-recovery-x7k2p is created.',
        '',
      ].join('\n'),
    );
    expect(questions).toEqual(['Do it?']);
    expect(out).toBe(
      'orders-recovery-x7k2p: recovered in 41 s: the last transaction is of 2026-11-21T10:04:59.812Z, timeline 3, from 20261115T001500Z-physical-full, and 369 MB of WAL. It answers at orders-recovered:5432.\n',
    );
    expect(world.cluster.changes()).toEqual([
      `POST ${path}`,
      `DELETE ${path}/orders-recovery-x7k2p-plan`,
      `POST ${path}`,
    ]);
    const [planned, done] = world.cluster.asked.filter(({ method }) => method === 'POST').map(({ body }) => body);
    const spec = {
      source: { policyRef: { name: 'orders' } },
      recoveryTarget: { targetTime: '2026-11-21T10:05:00Z' },
      target: { instance: { name: 'orders-recovered', storage: { size: '20Gi' } } },
    };
    expect(planned).toMatchObject({
      metadata: { name: 'orders-recovery-x7k2p-plan' },
      spec: { ...spec, dryRun: true },
    });
    expect(done).toEqual({
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'PitrRecovery',
      metadata: { name: 'orders-recovery-x7k2p', namespace: 'shop' },
      spec,
    });
  });

  test('on no, nothing is done, and the code is 5', async () => {
    world.cluster.put(policy(), workload);
    operate();
    const { code, err } = await world.kubectl('recover orders --latest', { answer: false });
    expect({ code, last: err.split('\n').at(-2) }).toEqual({ code: 5, last: 'Error: Nothing was done.' });
    expect(world.cluster.changes()).toEqual([`POST ${path}`, `DELETE ${path}/orders-recovery-x7k2p-plan`]);
  });

  test('a plan that is refused is told, and the code is 1', async () => {
    world.cluster.put(policy(), workload);
    world.cluster.react = (made) => [
      { ...made, status: { phase: 'Failed', error: 'The target lies before the first backup.' } },
    ];
    const { code, err, questions } = await world.kubectl('recover orders --latest', { answer: true });
    expect(code).toBe(1);
    expect(err).toContain('It cannot be done, and nothing was touched. The target lies before the first backup.');
    expect(questions).toEqual([]);
    expect(world.cluster.get('PitrRecovery', 'orders-recovery-x7k2p-plan')).toBeUndefined();
  });

  test('an interrupted plan is taken away too', async () => {
    world.cluster.put(policy(), workload);
    const stop = new AbortController();
    world.cluster.react = () => {
      setTimeout(() => stop.abort(new Error('stopped by SIGINT')), 50);
      return [];
    };
    const { code, err } = await world.kubectl('recover orders --latest', { answer: true, signal: stop.signal });
    expect(code).toBe(130);
    expect(err).toContain('It was not planned to the end, and nothing was done.');
    expect(world.cluster.get('PitrRecovery', 'orders-recovery-x7k2p-plan')).toBeUndefined();
  });

  test('where nobody can be asked, it needs --yes; --plan only shows', async () => {
    world.cluster.put(policy(), workload);
    operate();
    const refused = await world.kubectl('recover orders --latest');
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('say --yes to do it');
    expect(world.cluster.changes()).toEqual([]);
    const { out } = await world.kubectl('recover orders --latest --plan');
    expect(out).toContain('Target: the end of the archived WAL.\n');
    expect(out).toContain('  2. Replay 12 WAL segments.\n');
    expect(world.cluster.changes()).toHaveLength(2);
  });

  test('in place wants the name once more, and says what it means', async () => {
    world.cluster.put(policy(), workload);
    operate();
    const unsaid = await world.kubectl('recover orders --latest --in-place');
    expect(unsaid.code).toBe(2);
    expect(unsaid.err).toContain('repeat its name, --confirm orders-db');
    const line = 'recover orders --latest --in-place --confirm orders-db --drop-old-data';
    const { err, questions } = await world.kubectl(line, { answer: true });
    expect(err).toContain('IN PLACE: it is scaled down, and its data is replaced. THE OLD DATA IS NOT KEPT.');
    expect(questions).toEqual(['Stop the server, and replace its data as planned?']);
    expect(world.cluster.get('PitrRecovery', 'orders-recovery-x7k2p')).toMatchObject({
      spec: {
        target: {
          inPlace: {
            workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
            confirm: 'orders-db',
            keepOldData: false,
          },
        },
      },
    });
  });

  test('copies one table out, from the repository alone, with assertions', async () => {
    world.cluster.put(repository());
    const line =
      'recover orders --repository offsite --source-namespace old --to-lsn 0/EC000138 --exclusive --timeline 2 --extract orders=orders_back --extract-table public.orders --into db.example.com:5433 --credentials admin --dry-run --assert'.split(
        ' ',
      );
    const { code, out } = await world.kubectl([...line, 'orders|select a || b from t|1|2']);
    expect(code).toBe(0);
    expect(parse(out)).toMatchObject({
      spec: {
        source: { repository: { repositoryRef: { name: 'offsite' }, policy: 'orders', namespace: 'old' } },
        recoveryTarget: { targetLSN: '0/EC000138', exclusive: true, targetTLI: 2 },
        target: { ephemeral: {} },
        extract: {
          databases: [{ name: 'orders', targetName: 'orders_back', tables: { include: ['public.orders'] } }],
          into: { host: 'db.example.com', port: 5433, credentialsSecretRef: { name: 'admin' } },
        },
        assertions: [{ database: 'orders', query: 'select a || b from t|1', expect: '2' }],
      },
    });
    expect(world.cluster.changes()).toEqual([]);
  });

  test.each([
    ['recover orders', 'Say where to stop'],
    ['recover orders --latest --immediate', 'one target only'],
    ['recover orders --to tomorrow', 'cannot be used'],
    ['recover orders --to-lsn nonsense', 'must be an LSN'],
    ['recover orders --latest --instance a --ephemeral', 'Say one of'],
    ['recover orders --latest --instance A_B --size 1Gi --yes', 'lower-case label'],
    ['recover orders --latest --time-zone Mars', 'no time zone'],
    ['recover orders --latest --in-place pod/x', 'cannot be scaled down'],
    ['recover orders --latest --extract-table t', 'go with --extract'],
  ])('%s is refused before anything is sent', async (line, words) => {
    world.cluster.put(policy(), workload);
    const { code, err } = await world.kubectl(line, { answer: true });
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(words) });
    expect(world.cluster.changes()).toEqual([]);
  });

  test('without a claim to learn from, the size must be said', async () => {
    world.cluster.put(policy());
    expect((await world.kubectl('recover orders --latest --yes')).err).toContain('say --size');
    expect((await world.kubectl('recover orders --latest --yes --size 5Gi')).code).toBe(0);
  });
});

describe('drill', () => {
  test('recovers to a server that is removed, and says what was measured', async () => {
    world.cluster.put(policy());
    const met = { type: 'ObjectivesMet', status: 'True', reason: 'ObjectivesMet', message: 'The recovery took 41 s.' };
    operate({
      conditions: [met],
      endpoint: undefined,
      assertions: [{ query: 'q', expect: '1', got: '1', passed: true }],
    });
    const { code, out } = await world.kubectl('drill orders --rto 900 --rpo 60 --wait');
    expect(code).toBe(0);
    expect(out).toContain('orders-drill-x7k2p: recovered in 41 s');
    expect(out).toContain(
      'Lost of the time before the target: 0 s.\nAssertions: 1 of 1 hold.\nObjectives: ObjectivesMet. The recovery took 41 s.\n',
    );
    expect(world.cluster.get('PitrRecovery', 'orders-drill-x7k2p')).toMatchObject({
      spec: { target: { ephemeral: {} }, objectives: { rtoSeconds: 900, rpoSeconds: 60 }, recoveryTarget: {} },
    });
  });

  test('exits 1 where an objective is missed, though the recovery went well', async () => {
    world.cluster.put(policy());
    operate({
      conditions: [{ type: 'ObjectivesMet', status: 'False', reason: 'ObjectivesMissed', message: 'Too slow.' }],
    });
    expect((await world.kubectl('drill orders --rto 1 --wait')).code).toBe(1);
  });

  test('--random takes a moment of the window that is in no gap', async () => {
    const gap = {
      timeline: 1,
      fromWal: 'a',
      toWal: 'b',
      fromTime: '2026-11-08T00:21:00Z',
      toTime: '2026-11-21T10:13:00Z',
    };
    const restorable = { earliestTime: '2026-11-08T00:20:00Z', latestTime: '2026-11-21T10:14:00Z', gaps: [gap] };
    world.cluster.put(policy({}, { restorable: { ...restorable, earliestTime: '2026-11-21T10:00:00Z' } }));
    const { out } = await world.kubectl('drill orders --random --dry-run');
    const { targetTime } = (parse(out) as { spec: { recoveryTarget: { targetTime: string } } }).spec.recoveryTarget;
    expect(Date.parse(targetTime)).toBeGreaterThan(Date.parse(gap.toTime));
    expect(Date.parse(targetTime)).toBeLessThanOrEqual(Date.parse(restorable.latestTime));
    const both = await world.kubectl('drill orders --random --latest');
    expect(both.code).toBe(2);
  });
});
