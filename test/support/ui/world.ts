import type {
  BackupPolicy,
  BackupRepository,
  BackupRun,
  PitrRecovery,
  RestoreRequest,
} from '../../../src/api/kinds.ts';
import { at, condition, policy, recovery, repository, restore, run, soundConditions } from './objects.ts';

export interface World {
  readonly policies: readonly BackupPolicy[];
  readonly runs: readonly BackupRun[];
  readonly restores: readonly RestoreRequest[];
  readonly recoveries: readonly PitrRecovery[];
  readonly repositories: readonly BackupRepository[];
}

const noRoom =
  'pg_basebackup ended with 1: could not receive data from WAL stream: server closed the connection unexpectedly; ' +
  'the disk of carts-db-0 is full (/var/lib/postgresql/data, 0 bytes left). Make room there, then run kubectl tidemark backup carts.';

/** A shop in the middle of its life: one policy of every kind of health, and a long history of one. */
export function world(): World {
  return {
    policies: [orders(), carts(), ledger(), invoices(), contacts(), notes(), ...plain()],
    runs: [...ordersRuns(), ...cartsRuns(), ...others()],
    restores: restores(),
    recoveries: recoveries(),
    repositories: [
      repository('offsite'),
      repository('local-disk', {
        status: {
          conditions: [
            condition('Ready', 'False', 'AccessDenied', 'put was denied: the key may only list. Give it s3:PutObject.'),
          ],
        },
      }),
      ...['billing', 'crm', 'plain'].map((namespace) => repository('offsite', { namespace })),
    ],
  };
}

function orders(): BackupPolicy {
  const gap = { timeline: 1, fromWal: '00000001000000000000002A', toWal: '00000001000000000000002F' };
  return policy('orders', {
    spec: {
      repositoryRefs: [{ name: 'offsite' }, { name: 'local-disk' }],
      schedules: [
        { name: 'weekly-base', cron: '15 1 * * 0', timeZone: 'Europe/Amsterdam', method: 'Physical' },
        {
          name: 'daily-increment',
          cron: '15 1 * * 1-6',
          timeZone: 'Europe/Amsterdam',
          method: 'Physical',
          type: 'Incremental',
        },
        { name: 'nightly-dump', cron: '0 3 * * *', method: 'Logical' },
      ],
    },
    status: {
      restorable: {
        earliestTime: at(330),
        latestTime: at(0.01),
        gaps: [{ ...gap, fromTime: at(240), toTime: at(216) }],
      },
      drills: [
        {
          name: 'fire-drill-3',
          time: at(25.9),
          outcome: 'Completed',
          rtoSeconds: 41,
          rpoSeconds: 2,
          objectivesMet: true,
        },
        {
          name: 'fire-drill-1',
          time: at(700),
          outcome: 'Completed',
          rtoSeconds: 95,
          rpoSeconds: 3,
          objectivesMet: true,
        },
      ],
      retention: {
        plannedTime: at(0.9),
        plan: [
          {
            run: 'orders-base-0',
            action: 'Delete',
            dueTime: at(-0.1),
            reason: 'outside recoveryWindow',
            bytes: '593476488',
            repository: 'offsite',
          },
          {
            run: 'orders-base-1',
            action: 'Keep',
            reason: 'the recovery window begins in it',
            bytes: '593476488',
            repository: 'offsite',
          },
        ],
        wal: [
          {
            repository: 'offsite',
            systemIdentifier: '7312000000000000001',
            timeline: 1,
            before: '00000001000000000000001B',
            segments: 1204,
            bytes: '4202394423',
            dueTime: at(-0.1),
            reason: 'no backup that stays needs it',
          },
        ],
      },
    },
  });
}

function ordersRuns(): readonly BackupRun[] {
  const daily = Array.from({ length: 118 }, (_, index) => {
    const [hours, isBase] = [10 + 24 * Math.floor(index / 2), index % 14 === 0];
    const isDump = index % 2 === 1;
    return run(
      `orders-${isDump ? 'nightly-dump' : isBase ? 'weekly-base' : 'daily-increment'}-${29_378_475 - index}`,
      'orders',
      hours - (isDump ? 1.8 : 0),
      {
        spec: {
          method: isDump ? 'Logical' : 'Physical',
          type: isDump || isBase ? 'Full' : 'Incremental',
          hold: index === 28,
        },
        status: {
          ...(index === 6 ? { verified: { time: at(52.9), restoreSeconds: 19, by: 'orders-verify' } } : {}),
          ...(index === 9
            ? {
                phase: 'Failed',
                error: 'pg_dump: error: could not open extension file: <b>no</b>, "really". Install the extension.',
                size: undefined,
              }
            : {}),
          ...(index > 60 ? { phase: 'Expired' } : {}),
          ...(index === 16
            ? {
                conditions: [
                  condition(
                    'Verified',
                    'False',
                    'DataCorrupted',
                    'It was found bad by orders-verify: page verification failed in relation 16402',
                  ),
                ],
              }
            : {}),
          repositories: [
            { name: 'offsite', state: 'Stored' },
            index === 2
              ? {
                  name: 'local-disk',
                  state: 'Failed',
                  reason: 'AccessDenied',
                  message: 'put was denied: the key may only list',
                }
              : { name: 'local-disk', state: 'Stored' },
          ],
        },
      },
    );
  });
  const running = run('orders-by-hand-x7k2p', 'orders', 0.05, {
    status: {
      phase: 'Running',
      completionTime: undefined,
      size: undefined,
      progress: { percent: 42 },
      repositories: undefined,
    },
  });
  return [running, ...daily];
}

function carts(): BackupPolicy {
  const failed = condition('LastBackupSucceeded', 'False', 'SourceFailed', `carts-daily-2 failed: ${noRoom}`);
  return policy('carts', {
    status: {
      conditions: [...soundConditions.filter(({ type }) => type !== 'LastBackupSucceeded'), failed],
      lastSuccessfulRun: { name: 'carts-daily-1', completionTime: at(33.9) },
      lastFailedRun: { name: 'carts-daily-2', completionTime: at(9.9), reason: 'SourceFailed' },
      restorable: { earliestTime: at(33.9), latestTime: at(0.02), gaps: [] },
    },
  });
}

function cartsRuns(): readonly BackupRun[] {
  const error = { phase: 'Failed', error: noRoom, size: undefined, repositories: undefined };
  return [run('carts-daily-1', 'carts', 34), run('carts-daily-2', 'carts', 10, { status: error })];
}

function ledger(): BackupPolicy {
  const silent = `The watcher of the archive has said nothing since ${at(3)}. Look at the pod of Deployment ledger-wal.`;
  return policy('ledger', {
    namespace: 'billing',
    spec: {
      source: { host: 'ledger.internal.example.com', credentialsSecretRef: { name: 'db' } },
      walArchiving: { mode: 'Stream' },
    },
    status: {
      conditions: [
        condition('Ready', 'Unknown', 'WatcherSilent', silent),
        ...soundConditions.filter(({ type }) => type !== 'Ready' && type !== 'ContinuousArchiving'),
        condition('ContinuousArchiving', 'Unknown', 'WatcherSilent', silent),
      ],
      wal: undefined,
    },
  });
}

function invoices(): BackupPolicy {
  const drill = {
    name: 'invoices-drill',
    time: at(70),
    outcome: 'Completed',
    rtoSeconds: 1810,
    rpoSeconds: 2,
    objectivesMet: false,
  };
  return policy('invoices', { namespace: 'billing', status: { drills: [drill] } });
}

function contacts(): BackupPolicy {
  return policy('contacts', {
    namespace: 'crm',
    spec: { suspend: true },
    status: {
      conditions: [
        condition('Ready', 'True', 'Suspended', 'The schedules are suspended'),
        condition('LastBackupSucceeded', 'True', 'Completed', 'contacts-daily completed'),
        condition('ContinuousArchiving', 'False', 'Suspended', 'The policy is suspended, and its WAL is not archived'),
        condition('Verified', 'True', 'Verified', 'found good'),
      ],
      nextScheduleTime: undefined,
    },
  });
}

function notes(): BackupPolicy {
  return policy('notes', {
    namespace: 'crm',
    spec: {
      schedules: [{ name: 'nightly', cron: '0 3 * * *', method: 'Logical' }],
      walArchiving: { mode: 'None' },
      verification: undefined,
      retention: undefined,
    },
    status: {
      conditions: soundConditions.filter(({ type }) => type === 'Ready' || type === 'LastBackupSucceeded'),
      restorable: undefined,
      wal: undefined,
      verification: undefined,
    },
  });
}

const plainNames = ['accounts', 'audit', 'catalogue', 'mail', 'sessions', 'stock'];

function plain(): readonly BackupPolicy[] {
  return plainNames.map((name) => policy(name, { namespace: 'plain' }));
}

function others(): readonly BackupRun[] {
  const dump = { spec: { method: 'Logical' } };
  return [
    ...plainNames.map((name) => run(`${name}-daily`, name, 10, { namespace: 'plain' })),
    ...['ledger', 'invoices'].map((name) => run(`${name}-daily`, name, 10, { namespace: 'billing' })),
    run('contacts-daily', 'contacts', 200, { namespace: 'crm' }),
    run('notes-nightly', 'notes', 7, { namespace: 'crm', ...dump }),
  ];
}

function recoveries(): readonly PitrRecovery[] {
  return [
    recovery('fire-drill-3', 'orders', 25.92, {
      spec: { objectives: { rtoSeconds: 900, rpoSeconds: 60 } },
      status: {
        completionTime: at(25.9),
        conditions: [
          condition('Succeeded', 'True', 'TargetReached', 'Recovered, checked and removed'),
          condition('ObjectivesMet', 'True', 'Met', '41 s of 900 s, 2 s of 60 s'),
        ],
      },
    }),
    recovery('before-the-delete', 'orders', 100, {
      spec: {
        recoveryTarget: { targetTime: at(101) },
        target: { instance: { name: 'orders-recovered', storage: { size: '10Gi' } } },
      },
      status: {
        phase: 'Failed',
        measured: undefined,
        error: 'The volume of orders-recovered could not be bound: no StorageClass is the default. Name one.',
      },
    }),
    recovery('orders-verify', 'orders', 53, { labels: { 'tidemark.dev/verification': 'orders' } }),
  ];
}

function restores(): readonly RestoreRequest[] {
  return [restore('bring-orders-back', 80)];
}
