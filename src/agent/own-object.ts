import {
  apiVersion,
  type BackupRun,
  backupPolicy,
  backupRepository,
  backupRun,
  pitrRecovery,
  restoreRequest,
} from '../api/kinds.ts';
import type { AgentReport } from '../api/report.ts';
import { agentFieldManager, catalogueFieldManager, watcherFieldManager } from '../domain/labels.ts';
import { scheduledRun } from '../domain/scheduled-run.ts';
import type { BackupTask, CopyTask, SyncTask, Task } from '../domain/task.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { applyStatus, createIfAbsent, read } from '../kube/objects.ts';
import type { AgentLog } from './log.ts';

type Status = Readonly<Record<string, unknown>>;

/** The object that a task is done for. */
export interface OwnObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** undefined for a scheduled run that is not recorded yet. */
  readonly uid: string | undefined;
  readonly fieldManager: string;
  /** From what the reporter holds to this kind's status; undefined where nothing is to be written yet. */
  readonly shape: (status: Status) => Status | undefined;
}

/** The sidecar of a target's pod has no account of Tidemark's, and so no object. */
export type ReportingTask =
  | Exclude<Task, { readonly action: 'archive' | 'copy' }>
  | (CopyTask & { readonly run: NonNullable<CopyTask['run']> });

export function ownObject(
  task: ReportingTask,
  run: { readonly name: string; readonly uid?: string | undefined },
): OwnObject {
  const { namespace } = task;
  const common = { namespace, fieldManager: agentFieldManager, shape: (status: Status) => status };
  switch (task.action) {
    case 'backup':
      return { ...common, kind: backupRun.kind, name: run.name, uid: run.uid };
    case 'restore':
      return { ...common, kind: restoreRequest.kind, ...task.request };
    case 'probe': {
      const { name, uid, generation } = task.repositoryObject;
      return { ...common, kind: backupRepository.kind, name, uid, shape: (status) => probeStatus(status, generation) };
    }
    case 'delete':
      return {
        ...common,
        kind: backupRun.kind,
        ...task.run,
        // The backup's own facts stay with the manager that wrote them; applying without them would remove them.
        fieldManager: `${agentFieldManager}-delete`,
        shape: ({ report }) => ({ report }),
      };
    case 'copy':
      return {
        ...common,
        kind: backupRun.kind,
        ...task.run,
        // One manager for each repository: what one copy has said stays when another is made.
        fieldManager: `${agentFieldManager}-copy-${task.repositories[0]?.name ?? ''}`.slice(0, 128),
        shape: ({ repositories }) => (repositories === undefined ? undefined : { repositories }),
      };
    case 'hooks':
      // What the backup's own agent has said stays, its report above all.
      return {
        ...common,
        kind: backupRun.kind,
        ...task.run,
        fieldManager: `${agentFieldManager}-hooks`,
        shape: ({ hooks }) => (hooks === undefined ? undefined : { hooks }),
      };
    case 'expire': {
      const { name, uid } = task.policy;
      // Without a plan to stand beside it, the report would take the plan away that is there.
      const shape = ({ retention, report }: Status) =>
        retention === undefined ? undefined : { retention: { ...retention, report } };
      return { ...common, kind: backupPolicy.kind, name, uid, fieldManager: `${agentFieldManager}-expire`, shape };
    }
    case 'sync-catalogue': {
      const { name, uid } = task.repositoryObject;
      const shape = (status: Status) => catalogueOf(task, status);
      return { ...common, kind: backupRepository.kind, name, uid, fieldManager: catalogueFieldManager, shape };
    }
    case 'watch-wal':
      return {
        ...common,
        kind: backupPolicy.kind,
        ...task.policy,
        fieldManager: watcherFieldManager,
        shape: ({ wal }) => ({ wal }),
      };
    case 'plan-recovery':
      // What it planned stays, whatever the Job that recovers says later.
      return { ...common, kind: pitrRecovery.kind, ...task.recovery, fieldManager: `${agentFieldManager}-plan` };
    case 'recover':
      return { ...common, kind: pitrRecovery.kind, ...task.recovery };
  }
}

/** A BackupRepository has no report: its last word is `probe`. */
function probeStatus({ capabilities, report }: Status, generation: number): Status {
  const { outcome, reason, message, completionTime } = report as AgentReport;
  return {
    ...(capabilities === undefined ? {} : { capabilities }),
    ...(outcome === 'Running'
      ? {}
      : {
          probe: {
            generation,
            outcome: outcome === 'Succeeded' ? outcome : 'Failed',
            reason,
            message,
            time: completionTime ?? new Date().toISOString(),
          },
        }),
  };
}

/** What an earlier sync found stays told, whatever comes of this one. */
function catalogueOf({ previous, requested, repositoryObject }: SyncTask, { catalogue, report }: Status): Status {
  const answered = (report as AgentReport).outcome !== 'Running' && requested !== undefined ? { requested } : {};
  const { generation } = repositoryObject;
  // Whole: of another place nothing may be left of the one before.
  return { catalogue: { ...(catalogue ?? previous ?? {}), generation, ...answered, report } };
}

/** Records a scheduled Job as a BackupRun, where the operator has not done so yet; gives the run. */
export async function recordScheduledRun(
  client: KubeClient,
  task: BackupTask & { readonly schedule: string },
  jobName: string,
  signal: AbortSignal,
): Promise<BackupRun | undefined> {
  const { namespace, policy, schedule, method, type } = task;
  const run = scheduledRun({ namespace, jobName, policy, schedule, method, type });
  await createIfAbsent(client, run, agentFieldManager, signal);
  return await read<BackupRun>(client, backupRun.kind, namespace, jobName, signal);
}

/** Applies the whole status that this agent owns. An object that is gone wants no status. */
export async function writeStatus(
  client: KubeClient,
  own: OwnObject,
  status: Status,
  log: AgentLog,
  signal: AbortSignal,
  recreate?: () => Promise<unknown>,
): Promise<void> {
  const { kind, namespace, name, uid } = own;
  const metadata = { name, namespace, ...(uid === undefined ? {} : { uid }) };
  const shaped = own.shape(status);
  if (shaped === undefined) return;
  const object = { apiVersion, kind, metadata, status: shaped };
  try {
    await applyStatus(client, object, own.fieldManager, signal);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    if (recreate === undefined) {
      log.warn({ kind, name }, 'the object of this task is gone, so nothing is reported');
      return;
    }
    await recreate();
    await applyStatus(client, { ...object, metadata: { name, namespace } }, own.fieldManager, signal);
  }
}
