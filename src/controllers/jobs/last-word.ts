import { isDeepStrictEqual } from 'node:util';
import type { BackupRun, RestoreRequest } from '../../api/kinds.ts';
import { fateOf } from '../../domain/job-state.ts';
import { list, read } from '../../kube/objects.ts';
import { jobNameLabel, type Pod } from '../../kube/workloads.ts';
import { type Cached, type Context, indexes } from '../context.ts';
import type { FoundJob } from './find-job.ts';

/** When to look again. */
export const arrivalMilliseconds = 500;

/**
 * Whether the last word of an agent whose Job has ended may be known to the API server and not here yet: Jobs, pods and our
 * kinds come by watches of their own, of which one may be opened seconds after another when the API server was away. It is
 * asked only where no success is known: to miss a word would call a stored backup failed, for ever.
 */
export async function lastWordMayCome(
  { client, caches }: Pick<Context, 'client' | 'caches'>,
  run: Cached<BackupRun | RestoreRequest>,
  job: FoundJob | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (job?.view.finished === undefined) return false;
  if (fateOf(job.view, run.status?.report, false).state === 'Completed') return false;
  const { namespace, name, resourceVersion } = run.metadata;
  const jobName = job.job.metadata.name;
  const [present, pods] = await Promise.all([
    read<Cached<BackupRun | RestoreRequest>>(client, run.kind, namespace, name, signal),
    list<Pod>(client, 'Pod', namespace, `${jobNameLabel}=${jobName}`, signal),
  ]);
  const known = caches.pods.byIndex(indexes.job, `${namespace}/${jobName}`);
  return present?.metadata.resourceVersion !== resourceVersion || !isDeepStrictEqual(versions(pods), versions(known));
}

function versions(pods: readonly Pod[]): readonly (string | undefined)[] {
  return pods.map(({ metadata: { uid, resourceVersion } }) => `${uid} ${resourceVersion}`).sort();
}
