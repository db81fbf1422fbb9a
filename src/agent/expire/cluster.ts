import { type BackupPolicy, type BackupRun, backupPolicy, backupRun } from '../../api/kinds.ts';
import type { RetentionStatus } from '../../api/retention.ts';
import { terminal, transient } from '../../domain/failure.ts';
import { agentFieldManager } from '../../domain/labels.ts';
import type { ExpireTask } from '../../domain/task.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { applyStatus, read } from '../../kube/objects.ts';

/** What retention asks of the cluster and tells it. All reject where the API server does not answer: then nothing is deleted. */
export interface RetentionCluster {
  /** What the policy's status says now; rejects where the policy is not the one that the Job was made for. */
  published(): Promise<RetentionStatus>;
  /** Whether the BackupRun of a backup says hold, at this moment. */
  isHeld(backup: Made): Promise<boolean>;
  /** Says in the BackupRun, where there is one, that a repository has the backup no more. */
  markRemoved(backup: Made, repository: string): Promise<void>;
}

export interface Made {
  readonly run: string;
  readonly backupID: string;
}

export function retentionCluster(
  client: KubeClient | undefined,
  task: ExpireTask,
  signal: AbortSignal,
): RetentionCluster {
  const { namespace } = task;
  const within = () => AbortSignal.any([signal, AbortSignal.timeout(20_000)]);
  const connected = () => {
    if (client !== undefined) return client;
    throw transient(
      'ClusterUnreachable',
      'The API server cannot be asked what was planned and what is held. Nothing was deleted; it is tried again.',
    );
  };
  const runOf = async ({ run, backupID }: Made) => {
    const found = await read<BackupRun>(connected(), backupRun.kind, namespace, run, within());
    // One that does not say yet which backup it made may be just this one's.
    const said = found?.status?.backupID;
    return said === undefined || said === backupID ? found : undefined;
  };
  return {
    async published() {
      const { name, uid, generation } = task.policy;
      const found = await read<BackupPolicy>(connected(), backupPolicy.kind, namespace, name, within());
      if (found?.metadata.uid !== uid || found.metadata.deletionTimestamp !== undefined)
        throw terminal('PolicyGone', `BackupPolicy ${namespace}/${name} is being deleted. Nothing was deleted.`);
      if (found.metadata.generation !== generation)
        throw transient(
          'PolicyChanged',
          'The policy was changed since this Job was made. Nothing was deleted; the next Job goes by what it says now.',
        );
      return found.status?.retention ?? {};
    },
    isHeld: async (made) => (await runOf(made))?.spec.hold === true,
    async markRemoved(made, repository) {
      const found = await runOf(made);
      const present = found?.status?.repositories ?? [];
      if (found === undefined || !present.some(({ name }) => name === repository)) return;
      const removed = present.filter(({ name, state }) => name === repository || state === 'Removed');
      const repositories = removed.map(({ name }) => ({ name, state: 'Removed' }));
      const { apiVersion, kind, metadata } = found;
      const { name, uid } = metadata;
      try {
        await applyStatus(
          connected(),
          { apiVersion, kind, metadata: { name, namespace, uid }, status: { repositories } },
          `${agentFieldManager}-expire`,
          within(),
        );
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}
