import { z } from 'zod';
import { backupRunStatus } from '../../api/backup-run.ts';
import type { BackupRun } from '../../api/kinds.ts';
import { applyStatus } from '../../kube/objects.ts';
import type { Pod } from '../../kube/workloads.ts';
import { type Cached, type Context, indexes } from '../context.ts';
import { isScheduled } from './decide.ts';

/** Facts of the agent's that the operator carries from the pod into the status; never those that it judges itself. */
const fieldManager = 'tidemark-operator-adopted';

const { report, backupID, checksum, repositories, size, globals, databases, hooks } = backupRunStatus.shape;
const { type, parentBackupID, chain, forcedFull } = backupRunStatus.shape;
const lastWords = z.object({
  ...{ report: report.unwrap(), backupID, type, parentBackupID, chain, forcedFull },
  ...{ checksum, repositories, size, globals, databases, hooks },
});

/**
 * An agent that ended while the API server was away, or whose BackupRun was gone, left its last words and the key facts
 * with the kubelet. They are put where the agent would have put them, so that the backup can be found and restored.
 * Answers whether something was written: then the run is looked at again.
 */
export async function adoptFacts(
  { caches, client }: Context,
  run: Cached<BackupRun>,
  jobName: string,
  signal: AbortSignal,
): Promise<boolean> {
  const said = run.status?.report?.outcome;
  if (said !== undefined && said !== 'Running') return false;
  const { namespace, name, uid, creationTimestamp } = run.metadata;
  const pods = caches.pods.byIndex(indexes.job, `${namespace}/${jobName}`);
  // A hand-made run comes before its pods: older ones are those of an earlier run of its name.
  const own = isScheduled(run) ? pods : pods.filter((pod) => pod.metadata.creationTimestamp >= creationTimestamp);
  const facts = newestWords(own);
  if (facts === undefined) return false;
  const { apiVersion, kind } = run;
  await applyStatus(
    client,
    { apiVersion, kind, metadata: { name, namespace, uid }, status: facts },
    fieldManager,
    signal,
  );
  return true;
}

function newestWords(pods: readonly Pod[]): z.output<typeof lastWords> | undefined {
  const newest = [...pods]
    .sort((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp))
    .at(-1);
  const agent = newest?.status?.containerStatuses?.find(({ name }) => name === 'agent');
  const message = agent?.state?.terminated?.message;
  if (message === undefined) return undefined;
  try {
    return lastWords.safeParse(JSON.parse(message)).data;
  } catch {
    // A crash's last lines are no report.
    return undefined;
  }
}
