import { backupPolicySpec } from '../../../src/api/backup-policy.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { backupRunSpec } from '../../../src/api/backup-run.ts';
import type {
  BackupPolicy,
  BackupRepository,
  BackupRun,
  PitrRecovery,
  RestoreRequest,
} from '../../../src/api/kinds.ts';
import { pitrRecoverySpec } from '../../../src/api/pitr-recovery.ts';
import { restoreRequestSpec } from '../../../src/api/restore-request.ts';

/** Objects as the API server gives them back, defaults filled in, with times that are told from the present. */
export const now = new Date('2026-11-21T10:15:00Z');
const apiVersion = 'tidemark.dev/v1alpha1';

export interface Parts {
  readonly namespace?: string;
  readonly created?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: object;
  readonly status?: object;
}

/** So many hours before the present; `at(-1)` is in an hour. */
export function at(hours: number): string {
  return new Date(now.getTime() - hours * 3_600_000).toISOString().replace('.000Z', 'Z');
}

function metadata(name: string, { namespace = 'shop', created = at(1000), labels }: Parts) {
  return {
    ...{ name, namespace, uid: `uid-of-${namespace}-${name}`, generation: 1, resourceVersion: '1' },
    creationTimestamp: created,
    ...(labels === undefined ? {} : { labels }),
  };
}

export function condition(type: string, status: 'True' | 'False' | 'Unknown', reason: string, message = 'so it is') {
  return { type, status, reason, message, lastTransitionTime: at(30), observedGeneration: 1 };
}

export const soundConditions = [
  condition('Ready', 'True', 'Scheduled', '2 schedules'),
  condition('LastBackupSucceeded', 'True', 'Completed', 'orders-daily completed'),
  condition('ContinuousArchiving', 'True', 'Archiving', 'Up to 0000000200000000000000EC, 3 s behind the server'),
  condition('RetentionApplied', 'True', 'Planned', 'Nothing is due'),
  condition('Verified', 'True', 'Verified', 'The Physical backup was restored in 19 s and found good.'),
];

/** One that archives, and of which everything is well. */
export function policy(name: string, parts: Parts = {}): BackupPolicy {
  const spec = backupPolicySpec.parse({
    source: { workloadRef: { kind: 'StatefulSet', name: `${name}-db` }, credentialsSecretRef: { name: 'db-backup' } },
    repositoryRefs: [{ name: 'offsite' }],
    schedules: [{ name: 'daily', cron: '15 1 * * *', timeZone: 'Europe/Amsterdam', method: 'Physical' }],
    walArchiving: { mode: 'Archive' },
    retention: { recoveryWindow: '14d' },
    verification: { cron: '0 5 * * 6' },
    ...parts.spec,
  });
  const status = {
    observedGeneration: 1,
    conditions: soundConditions,
    server: { version: '17.11', systemIdentifier: '7312000000000000001', timeline: 2 },
    nextScheduleTime: at(-14),
    lastSuccessfulRun: { name: `${name}-daily`, completionTime: at(9.9) },
    restorable: { earliestTime: at(330), latestTime: at(0.01), gaps: [] },
    wal: { timeline: 2, lastArchivedSegment: '0000000200000000000000EC', lagBytes: '1048576', lagSeconds: 3 },
    verification: {
      since: at(800),
      nextTime: at(-100),
      last: [
        {
          ...{ method: 'Physical', name: `${name}-verify`, scheduledTime: at(53), startTime: at(53), time: at(52.9) },
          ...{ outcome: 'Good', reason: 'Completed', run: `${name}-daily-3`, restoreSeconds: 19 },
        },
      ],
    },
    ...parts.status,
  };
  return { apiVersion, kind: 'BackupPolicy', metadata: metadata(name, parts), spec, status } as BackupPolicy;
}

export function run(name: string, policyName: string, hours: number, parts: Parts = {}): BackupRun {
  const spec = backupRunSpec.parse({ policyRef: { name: policyName }, method: 'Physical', ...parts.spec });
  const status = {
    ...{ phase: 'Completed', startTime: at(hours), completionTime: at(hours - 0.1) },
    backupID: `${at(hours).replaceAll(/[-:]/g, '')}-physical-full`,
    size: { source: '3101687808', stored: '593476488', compressionRatio: '5.22' },
    server: { version: '17.11', timeline: 2 },
    repositories: [{ name: 'offsite', state: 'Stored' }],
    ...parts.status,
  };
  const made = { created: at(hours), ...parts };
  return { apiVersion, kind: 'BackupRun', metadata: metadata(name, made), spec, status } as BackupRun;
}

export function repository(name: string, parts: Parts = {}): BackupRepository {
  const spec = backupRepositorySpec.parse({ s3: { bucket: 'backups' }, ...parts.spec });
  const conditions = [condition('Ready', 'True', 'ProbeSucceeded', 'put, list and delete work')];
  const status = { conditions, backups: 14, storedBytes: '73014444032', lastSyncTime: at(0.4), ...parts.status };
  return { apiVersion, kind: 'BackupRepository', metadata: metadata(name, parts), spec, status } as BackupRepository;
}

export function recovery(name: string, policyName: string, hours: number, parts: Parts = {}): PitrRecovery {
  const spec = pitrRecoverySpec.parse({
    source: { policyRef: { name: policyName } },
    target: { ephemeral: {} },
    ...parts.spec,
  });
  const status = {
    ...{ phase: 'Completed', startTime: at(hours), completionTime: at(hours - 0.02) },
    reached: { lsn: '0/FF01A2B8', time: at(hours + 0.1), timeline: 3 },
    measured: { rtoSeconds: 41, rpoSeconds: 2 },
    conditions: [condition('Succeeded', 'True', 'TargetReached', 'Recovered, checked and removed')],
    ...parts.status,
  };
  const made = { created: at(hours), ...parts };
  return { apiVersion, kind: 'PitrRecovery', metadata: metadata(name, made), spec, status } as PitrRecovery;
}

export function restore(name: string, hours: number, parts: Parts = {}): RestoreRequest {
  const spec = restoreRequestSpec.parse({
    source: { latest: { policyRef: { name: 'orders' }, method: 'Logical' } },
    target: { server: { host: 'db.example', credentialsSecretRef: { name: 'admin' } } },
    ...parts.spec,
  });
  const status = {
    ...{ phase: 'Completed', startTime: at(hours), completionTime: at(hours - 0.01), restoreSeconds: 12 },
    conditions: [condition('Succeeded', 'True', 'Restored', '1 database, 12 objects')],
    ...parts.status,
  };
  const made = { created: at(hours), ...parts };
  return { apiVersion, kind: 'RestoreRequest', metadata: metadata(name, made), spec, status } as RestoreRequest;
}
