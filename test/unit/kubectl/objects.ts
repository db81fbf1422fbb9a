import { backupPolicySpec } from '../../../src/api/backup-policy.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { backupRunSpec } from '../../../src/api/backup-run.ts';
import type { BackupPolicy, BackupRepository, BackupRun, PitrRecovery } from '../../../src/api/kinds.ts';
import { pitrRecoverySpec } from '../../../src/api/pitr-recovery.ts';

const apiVersion = 'tidemark.dev/v1alpha1';

function metadata(name: string, created = '2026-11-01T00:00:00Z') {
  return {
    ...{ name, namespace: 'shop', uid: `uid-of-${name}`, generation: 1, resourceVersion: '1' },
    creationTimestamp: created,
  };
}

/** As the API server gives it back: defaults filled in. */
export function policy(spec: object = {}, status: object = {}, name = 'orders'): BackupPolicy {
  return {
    apiVersion,
    kind: 'BackupPolicy',
    metadata: metadata(name),
    spec: backupPolicySpec.parse({
      source: {
        workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
        credentialsSecretRef: { name: 'orders-db-backup' },
      },
      repositoryRefs: [{ name: 'offsite' }],
      schedules: [{ name: 'weekly-base', cron: '15 1 * * 0', timeZone: 'Europe/Amsterdam', method: 'Physical' }],
      walArchiving: { mode: 'Archive' },
      retention: { recoveryWindow: '14d' },
      ...spec,
    }),
    status: {
      observedGeneration: 1,
      conditions: [condition('Ready', 'True', 'Scheduled', 'Backups are scheduled')],
      server: { version: '17.11', systemIdentifier: '7312', timeline: 2 },
      lastSuccessfulRun: { name: 'orders-base-2', completionTime: '2026-11-15T00:20:00Z' },
      nextScheduleTime: '2026-11-22T00:15:00Z',
      restorable: { earliestTime: '2026-11-08T00:20:00Z', latestTime: '2026-11-21T10:14:00Z', gaps: [] },
      wal: { timeline: 2, lastArchivedSegment: '000000020000000000000091', lagBytes: '1048576', pendingSegments: 0 },
      ...status,
    },
  };
}

export function condition(type: string, status: 'True' | 'False' | 'Unknown', reason: string, message: string) {
  return { type, status, reason, message, lastTransitionTime: '2026-11-20T00:00:00Z' };
}

export function repository(spec: object = {}, status?: object): BackupRepository {
  return {
    apiVersion,
    kind: 'BackupRepository',
    metadata: metadata('offsite'),
    spec: backupRepositorySpec.parse({
      s3: { bucket: 'backups', credentialsSecretRef: { name: 's3-credentials' } },
      ...spec,
    }),
    status: status ?? { conditions: [condition('Ready', 'True', 'ProbeSucceeded', 'put, list and delete work')] },
  };
}

interface RunParts {
  readonly spec?: object;
  readonly status?: object;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A physical one that began at a time and took twenty minutes. */
export function run(name: string, started: string, { spec, status, labels }: RunParts = {}): BackupRun {
  const end = new Date(Date.parse(started) + 1_200_000).toISOString().replace('.000', '');
  return {
    apiVersion,
    kind: 'BackupRun',
    metadata: { ...metadata(name, started), ...(labels === undefined ? {} : { labels }) },
    spec: backupRunSpec.parse({ policyRef: { name: 'orders' }, method: 'Physical', ...spec }),
    status: {
      phase: 'Completed',
      startTime: started,
      completionTime: end,
      backupID: `${started.replaceAll(/[-:]/g, '')}-physical-full`,
      size: { source: '3101687808', stored: '593476488', compressionRatio: '5.22' },
      server: { version: '17.11', timeline: 1 },
      repositories: [{ name: 'offsite', state: 'Stored' }],
      ...status,
    },
  };
}

/** A drill that was done. */
export function recovery(name: string, status: object, spec: object = {}): PitrRecovery {
  return {
    apiVersion,
    kind: 'PitrRecovery',
    metadata: metadata(name, '2026-11-20T09:00:00Z'),
    spec: pitrRecoverySpec.parse({ source: { policyRef: { name: 'orders' } }, target: { ephemeral: {} }, ...spec }),
    status: { phase: 'Completed', completionTime: '2026-11-20T09:10:00Z', ...status },
  };
}

/** Three weeks of a policy: bases, dumps, a failure, a gap, a promotion, a proof. */
export function story(): { readonly policy: BackupPolicy; readonly runs: readonly BackupRun[] } {
  const gap = { timeline: 1, fromWal: '00000001000000000000002A', toWal: '00000001000000000000002F' };
  const dump = { method: 'Logical' };
  const promoted = { server: { timeline: 2 } };
  return {
    policy: policy(
      {},
      {
        restorable: {
          earliestTime: '2026-11-08T00:35:00Z',
          latestTime: '2026-11-21T10:14:00Z',
          gaps: [{ ...gap, fromTime: '2026-11-12T06:00:00Z', toTime: '2026-11-13T06:00:00Z' }],
        },
      },
    ),
    runs: [
      run('orders-base-0', '2026-11-01T00:15:00Z', { status: { phase: 'Expired' } }),
      run('orders-base-1', '2026-11-08T00:15:00Z', {
        status: { verified: { time: '2026-11-10T05:00:00Z', restoreSeconds: 19 } },
      }),
      run('orders-after-gap', '2026-11-13T12:00:00Z', { spec: { hold: true } }),
      run('orders-base-2', '2026-11-15T00:15:00Z', { status: promoted }),
      run('orders-increment', '2026-11-18T00:15:00Z', {
        spec: { type: 'Incremental' },
        status: promoted,
      }),
      run('orders-dump-1', '2026-11-16T03:00:00Z', { spec: dump, status: promoted }),
      run('orders-dump-2', '2026-11-19T03:00:00Z', {
        spec: dump,
        status: { ...promoted, phase: 'Failed', error: 'pg_dump: <b>no</b>, "really"' },
      }),
      run('orders-dump-3', '2026-11-21T03:00:00Z', { spec: dump, status: { ...promoted, phase: 'Cancelled' } }),
    ],
  };
}
