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
import type { AgentReport } from '../../../src/api/report.ts';
import { restoreRequestSpec } from '../../../src/api/restore-request.ts';
import type { FoundJob } from '../../../src/controllers/jobs/find-job.ts';
import type { JobView } from '../../../src/domain/job-state.ts';
import type { KubeObject } from '../../../src/kube/client.ts';
import type { Job, Pod } from '../../../src/kube/workloads.ts';

/** Objects as the API server would give them back: defaults filled in. */
export const now = new Date('2026-03-10T12:00:00Z');
export const agent = { image: 'agent:1', imagePullPolicy: 'IfNotPresent', imagePullSecrets: [] } as const;
const created = '2026-03-10T11:59:30Z';

type Stored<Shape> = Shape & KubeObject;
type Change = Readonly<Record<string, unknown>>;

function metadata(name: string, change: Change = {}) {
  return {
    name,
    namespace: 'shop',
    uid: `uid-of-${name}`,
    generation: 1,
    resourceVersion: '1',
    creationTimestamp: created,
    ...change,
  };
}

interface Parts {
  readonly name?: string;
  readonly metadata?: Change;
  readonly spec?: Change;
  readonly status?: Change;
}

const apiVersion = 'tidemark.dev/v1alpha1';

export function policy({ name = 'orders', ...parts }: Parts = {}): Stored<BackupPolicy> {
  const spec = backupPolicySpec.parse({
    source: { host: 'db.example', credentialsSecretRef: { name: 'db' } },
    repositoryRefs: [{ name: 'store' }],
    schedules: [{ name: 'nightly', cron: '0 3 * * *', method: 'Logical' }],
    ...parts.spec,
  });
  return { apiVersion, kind: 'BackupPolicy', metadata: metadata(name, parts.metadata), spec, ...statusOf(parts) };
}

export function repository({ name = 'store', ...parts }: Parts = {}): Stored<BackupRepository> {
  const spec = backupRepositorySpec.parse(parts.spec ?? { volume: { claimName: 'backups' } });
  return { apiVersion, kind: 'BackupRepository', metadata: metadata(name, parts.metadata), spec, ...statusOf(parts) };
}

export function run({ name = 'by-hand', ...parts }: Parts = {}): Stored<BackupRun> {
  const spec = backupRunSpec.parse({ policyRef: { name: 'orders' }, method: 'Logical', ...parts.spec });
  return { apiVersion, kind: 'BackupRun', metadata: metadata(name, parts.metadata), spec, ...statusOf(parts) };
}

export function restore({ name = 'back', ...parts }: Parts = {}): Stored<RestoreRequest> {
  const spec = restoreRequestSpec.parse({
    source: { backupRunRef: { name: 'by-hand' } },
    target: { server: { host: 'db.example', credentialsSecretRef: { name: 'db' } } },
    ...parts.spec,
  });
  return { apiVersion, kind: 'RestoreRequest', metadata: metadata(name, parts.metadata), spec, ...statusOf(parts) };
}

export function recovery({ name = 'before', ...parts }: Parts = {}): Stored<PitrRecovery> {
  const spec = pitrRecoverySpec.parse({
    source: { policyRef: { name: 'orders' } },
    recoveryTarget: { targetTime: '2026-03-10T11:00:00Z' },
    target: { instance: { name: 'copy', storage: { size: '10Gi' } } },
    ...parts.spec,
  });
  return { apiVersion, kind: 'PitrRecovery', metadata: metadata(name, parts.metadata), spec, ...statusOf(parts) };
}

function statusOf({ status }: Parts): { status?: never } {
  return (status === undefined ? {} : { status }) as { status?: never };
}

export function condition(type: string, status: string, reason: string, message = 'so it is') {
  return { type, status, reason, message, lastTransitionTime: created, observedGeneration: 1 };
}

export const ready = { conditions: [condition('Ready', 'True', 'ProbeSucceeded')] };

export function report(outcome: AgentReport['outcome'], reason = 'Told', message = 'as told'): AgentReport {
  return { outcome, reason, message };
}

export function job(name: string, parts: { readonly owner?: string; readonly metadata?: Change } = {}): Job {
  const owners = [
    { apiVersion, kind: 'BackupRun', name: 'by-hand', uid: parts.owner ?? 'uid-of-by-hand', controller: true },
  ];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { ...metadata(name), ownerReferences: owners, ...parts.metadata },
  };
}

export function foundJob(name: string, view: Partial<JobView> = {}): FoundJob {
  return { job: job(name), view: { pods: [], ...view }, activePods: [] };
}

export function ended(outcome: 'Complete' | 'Failed', reason = '', message = '') {
  return { outcome, reason, message, time: '2026-03-10T11:59:59Z' } as const;
}

export function pod(name: string, parts: { readonly metadata?: Change; readonly status?: Change } = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata(name), ...parts.metadata },
    status: { phase: 'Running', ...parts.status },
  };
}
