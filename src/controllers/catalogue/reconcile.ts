import type { BackupRepository, BackupRun } from '../../api/kinds.ts';
import type { NewCondition } from '../../domain/conditions.ts';
import { remove } from '../../kube/objects.ts';
import type { Cached, Context } from '../context.ts';
import { createJob, isCreated } from '../jobs/create-job.ts';
import { findJob } from '../jobs/find-job.ts';
import { syncJobName } from './build-sync-job.ts';
import { decideSync } from './decide.ts';
import { catalogueSynced } from './judge.ts';

export interface SyncOutcome {
  readonly condition: NewCondition | undefined;
  /** Milliseconds. */
  readonly lookAgain: number | undefined;
}

/** Lets the Jobs that read a repository's catalogue run one after the other. */
export async function reconcileCatalogue(
  context: Context,
  {
    repository,
    runs,
    isReady,
  }: {
    readonly repository: Cached<BackupRepository>;
    readonly runs: readonly BackupRun[];
    readonly isReady: boolean;
  },
  signal: AbortSignal,
): Promise<SyncOutcome> {
  const { caches, client, settings, clock } = context;
  const { namespace, uid } = repository.metadata;
  const gathered = {
    repository,
    runs,
    isReady,
    policies: caches.policies.list(namespace),
    job: findJob(caches, { namespace, name: syncJobName(repository), owner: uid }),
    agent: settings.agent,
    now: clock.now(),
  };
  const decision = decideSync(gathered);
  for (const event of decision.events) context.record(repository, event);
  const present = gathered.job?.job;
  if (decision.removeJob && present !== undefined) {
    const { name } = present.metadata;
    await remove(client, { kind: 'Job', namespace, name, uid: present.metadata.uid }, signal);
  }
  const { condition, lookAgainMilliseconds: lookAgain, create } = decision;
  const created = create === undefined ? 'made' : await createJob(client, repository, create, signal);
  if (isCreated(created)) return { condition, lookAgain: created === 'waiting' ? 2_000 : lookAgain };
  return { condition: catalogueSynced({ ...gathered, rejection: created }), lookAgain: 60_000 };
}
