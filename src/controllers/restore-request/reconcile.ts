import { isDeepStrictEqual } from 'node:util';
import { jobTemplate } from '../../api/job-template.ts';
import type { RestoreRequest } from '../../api/kinds.ts';
import { restoreRequestSpec } from '../../api/restore-request.ts';
import { runningJobFinalizer } from '../../domain/labels.ts';
import type { Outcome } from '../../kube/controller.ts';
import { patchFinalizers, read, remove } from '../../kube/objects.ts';
import type { Job } from '../../kube/workloads.ts';
import { type Cached, type Context, indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findHosts } from '../find-hosts.ts';
import { createJob, isOwnedBy } from '../jobs/create-job.ts';
import { findJob, remainingPods } from '../jobs/find-job.ts';
import { parseSpec } from '../parse-spec.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import { eventsOf, hasEnded, ownedRunStatus, statusOf } from '../run-progress.ts';
import { writeStatus } from '../write-status.ts';
import { type Decision, decide, decideUnmade, type Gathered, restoreJobName } from './decide.ts';
import { type Lookup, resolveSource } from './source.ts';

export async function reconcileRestore(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const request = context.caches.restores.get(namespace, name);
  if (request === undefined) return 'done';
  if (hasEnded(request) && request.metadata.deletionTimestamp === undefined && !isMarked(request)) return 'done';
  const parsed = parseSpec(restoreRequestSpec, request.spec, 'The RestoreRequest');
  if (isRefusal(parsed)) return await refuse(context, request, parsed, signal);
  const gathered = await gather(context, { ...request, spec: parsed.spec }, signal);
  const wanted = decide(gathered);
  const { client } = context;
  const deleting = request.metadata.deletionTimestamp !== undefined;
  if (!deleting) await setFinalizers(context, request, wanted.finalizers, signal);
  const created = wanted.create === undefined ? 'made' : await createJob(client, request, wanted.create, signal);
  const decision = created === 'made' ? wanted : decideUnmade(gathered, created);
  if (decision.removeJob && gathered.job !== undefined) {
    const { metadata } = gathered.job.job;
    await remove(client, { kind: 'Job', namespace, name: metadata.name, uid: metadata.uid }, signal);
  }
  if (deleting) await setFinalizers(context, request, wanted.finalizers, signal);
  await writeDecision(context, request, decision, signal);
  return decision.lookAgainMilliseconds === undefined
    ? 'done'
    : { requeueAfterMilliseconds: decision.lookAgainMilliseconds };
}

function isMarked({ metadata }: Cached<RestoreRequest>): boolean {
  return metadata.finalizers?.includes(runningJobFinalizer) ?? false;
}

/** One that cannot be read has no Job, or its Job goes with it: nothing holds it. */
async function refuse(
  context: Context,
  request: Cached<RestoreRequest>,
  { reason, message }: Refusal,
  signal: AbortSignal,
): Promise<Outcome> {
  const { finalizers = [] } = request.metadata;
  await setFinalizers(
    context,
    request,
    finalizers.filter((name) => name !== runningJobFinalizer),
    signal,
  );
  if (hasEnded(request) || request.metadata.deletionTimestamp !== undefined) return 'done';
  const status = statusOf(request, { state: 'Failed', reason, message }, request.status?.jobName, context.clock.now());
  await writeDecision(context, request, { status, events: eventsOf(request, status, 'Restore') }, signal);
  return 'done';
}

async function writeDecision(
  context: Context,
  request: Cached<RestoreRequest>,
  { status, events }: Pick<Decision, 'status' | 'events'>,
  signal: AbortSignal,
): Promise<void> {
  if (status !== undefined) await writeStatus(context, request, ownedRunStatus, { ...status }, signal);
  for (const event of events) context.record(request, event);
}

async function setFinalizers(
  { client }: Context,
  request: Cached<RestoreRequest>,
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const present = request.metadata.finalizers ?? [];
  if (isDeepStrictEqual([...present].sort(), [...finalizers].sort())) return;
  await patchFinalizers(client, request, finalizers, signal);
}

async function gather(context: Context, request: Cached<RestoreRequest>, signal: AbortSignal): Promise<Gathered> {
  const { caches, client, settings, clock } = context;
  const { namespace, uid } = request.metadata;
  const job = findJob(caches, { namespace, name: restoreJobName(request), owner: uid });
  const hadJob = request.status?.jobName !== undefined || request.status?.report !== undefined;
  const open = job === undefined && !hasEnded(request) && request.metadata.deletionTimestamp === undefined;
  const starts = open && !hadJob;
  const server = request.spec.target.server;
  return {
    request,
    source: resolveSource(request, lookupIn(context, namespace)),
    hosts: starts && server !== undefined ? await findHosts(client, namespace, server, signal) : [],
    account: starts ? await ensureAgentAccount(context, request, jobTemplate.parse({}), signal) : undefined,
    job,
    jobExists: open && hadJob && (await jobExists(context, request, signal)),
    activePods: remainingPods(caches, namespace, restoreJobName(request)),
    agent: settings.agent,
    now: clock.now(),
  };
}

async function jobExists({ client }: Context, request: Cached<RestoreRequest>, signal: AbortSignal): Promise<boolean> {
  const { namespace, uid } = request.metadata;
  const job = await read<Job>(client, 'Job', namespace, restoreJobName(request), signal);
  return job !== undefined && isOwnedBy(job, uid);
}

function lookupIn({ caches }: Context, namespace: string): Lookup {
  return {
    run: (name) => caches.runs.get(namespace, name),
    runsOf: (policy) => caches.runs.byIndex(indexes.policy, `${namespace}/${policy}`),
    policy: (name) => caches.policies.get(namespace, name),
    repository: (name) => caches.repositories.get(namespace, name),
  };
}
