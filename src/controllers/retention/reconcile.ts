import type { BackupPolicy, BackupRepository, BackupRun } from '../../api/kinds.ts';
import type { NewCondition } from '../../domain/conditions.ts';
import { annotations } from '../../domain/labels.ts';
import { isNotFound } from '../../kube/api-error.ts';
import { remove } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/paths.ts';
import type { Job } from '../../kube/workloads.ts';
import type { Cached, Context } from '../context.ts';
import { createJob, isCreated } from '../jobs/create-job.ts';
import { findJob } from '../jobs/find-job.ts';
import type { Refusal } from '../refusal.ts';
import { hasEnded } from '../run-progress.ts';
import { expireJobName } from './build-expire-job.ts';
import { decideRetention, type GatheredRetention } from './decide.ts';

export interface RetentionOutcome {
  readonly conditions: readonly NewCondition[];
  /** Milliseconds. */
  readonly lookAgain: number | undefined;
}

interface Surroundings {
  readonly policy: Cached<BackupPolicy>;
  readonly repositories: readonly (BackupRepository | undefined)[];
  readonly account: Refusal | undefined;
  readonly runs: readonly BackupRun[];
}

/** Lets the Jobs of retention run one after the other, and tells as Events what they have deleted. */
export async function reconcileRetention(
  context: Context,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<RetentionOutcome> {
  const { client } = context;
  const { policy } = surroundings;
  const gathered = gather(context, surroundings);
  const decision = decideRetention(gathered);
  const present = gathered.job?.job;
  for (const event of decision.events) context.record(policy, event);
  if (decision.tell && present !== undefined) await markTold(context, present, signal);
  if (decision.removeJob && present !== undefined) {
    const { namespace, name, uid } = present.metadata;
    await remove(client, { kind: 'Job', namespace, name, uid }, signal);
  }
  const created = decision.create === undefined ? 'made' : await createJob(client, policy, decision.create, signal);
  if (isCreated(created))
    return {
      conditions: decision.conditions,
      lookAgain: created === 'waiting' ? 2_000 : decision.lookAgainMilliseconds,
    };
  return { conditions: decideRetention({ ...gathered, rejection: created }).conditions, lookAgain: 60_000 };
}

function gather({ caches, settings, clock }: Context, surroundings: Surroundings): GatheredRetention {
  const { namespace, uid } = surroundings.policy.metadata;
  const name = expireJobName(surroundings.policy);
  const readers = [...caches.restores.list(), ...caches.recoveries.list()];
  const reader = readers.find(
    ({ metadata, ...each }) => metadata.namespace === namespace && !hasEnded({ metadata, ...each }),
  );
  return {
    ...surroundings,
    job: findJob(caches, { namespace, name, owner: uid }),
    reader: reader === undefined ? undefined : `${reader.kind} ${reader.metadata.name}`,
    agent: settings.agent,
    now: clock.now(),
  };
}

async function markTold({ client }: Context, { metadata }: Job, signal: AbortSignal): Promise<void> {
  const { namespace, name } = metadata;
  try {
    await client.request('PATCH', resourcePath('Job', { namespace, name }), {
      body: { metadata: { annotations: { [annotations.told]: 'true' } } },
      contentType: 'application/merge-patch+json',
      signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
