import { isDeepStrictEqual } from 'node:util';
import { jobTemplate } from '../../api/job-template.ts';
import { pitrRecovery, type RestoreRequest } from '../../api/kinds.ts';
import { restoreRequestSpec } from '../../api/restore-request.ts';
import { operatorFieldManager, runningJobFinalizer } from '../../domain/labels.ts';
import { recoveryName } from '../../domain/naming.ts';
import type { Outcome } from '../../kube/controller.ts';
import { createIfAbsent, patchFinalizers, read, remove } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/paths.ts';
import type { Job } from '../../kube/workloads.ts';
import { acknowledge } from '../acknowledge.ts';
import { type Cached, type Context, indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findHosts } from '../find-hosts.ts';
import { createJob, isOwnedBy } from '../jobs/create-job.ts';
import { findJob, remainingPods } from '../jobs/find-job.ts';
import { arrivalMilliseconds, lastWordMayCome } from '../jobs/last-word.ts';
import { parseSpec } from '../parse-spec.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import { eventsOf, hasEnded, ownedRunStatus, statusOf } from '../run-progress.ts';
import { writeStatus } from '../write-status.ts';
import { type Decision, decide, decideUnmade, type Gathered, restoreJobName } from './decide.ts';
import { decidePhysical, isPhysical, ownedPhysicalStatus } from './physical.ts';
import { gatherScratch } from './scratch.ts';
import { type Lookup, newestOf, resolveSource, wordOnLatest } from './source.ts';

export async function reconcileRestore(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const request = context.caches.restores.get(namespace, name);
  if (request === undefined) return 'done';
  if (hasEnded(request) && request.metadata.deletionTimestamp === undefined && !isMarked(request)) {
    // The plan and the answers of one that had an agent are the agent's.
    const owned = request.status?.report === undefined ? ownedPhysicalStatus : ownedRunStatus;
    await acknowledge(context, request, owned, signal);
    return 'done';
  }
  const parsed = parseSpec(restoreRequestSpec, request.spec, 'The RestoreRequest');
  if (isRefusal(parsed)) return await refuse(context, request, parsed, signal);
  const understood = { ...request, spec: parsed.spec };
  const lookup = lookupIn(context, namespace);
  if (isPhysical(understood, lookup) || ownRecovery(context, request) !== undefined)
    return await reconcilePhysical(context, understood, lookup, signal);
  const gathered = await gather(context, understood, signal);
  if (!hasEnded(request) && (await lastWordMayCome(context, request, gathered.job, signal)))
    return { requeueAfterMilliseconds: arrivalMilliseconds };
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

/** A PitrRecovery of its own does the work, and takes it back where it is deleted with the request. */
async function reconcilePhysical(
  context: Context,
  request: Cached<RestoreRequest>,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<Outcome> {
  const { client, caches, clock } = context;
  const { namespace, name } = request.metadata;
  const place = { namespace, name: recoveryName(name) };
  const child = caches.recoveries.get(namespace, place.name);
  const finalizers = (request.metadata.finalizers ?? []).filter((mark) => mark !== runningJobFinalizer);
  await setFinalizers(context, request, finalizers, signal);
  const { create, cancel, status, events, lookAgainMilliseconds } = decidePhysical(request, child, lookup, clock.now());
  if (create !== undefined) await createIfAbsent(client, create, operatorFieldManager, signal);
  if (cancel)
    await client.request('PATCH', resourcePath(pitrRecovery.kind, place), {
      body: { spec: { cancel: true } },
      query: { fieldManager: operatorFieldManager },
      contentType: 'application/merge-patch+json',
      signal,
    });
  if (status !== undefined) await writeStatus(context, request, ownedPhysicalStatus, { ...status }, signal);
  for (const event of events) context.record(request, event);
  return lookAgainMilliseconds === undefined ? 'done' : { requeueAfterMilliseconds: lookAgainMilliseconds };
}

/** Its run may be gone meanwhile, which alone says that its backup was Physical. */
function ownRecovery({ caches }: Context, { metadata }: Cached<RestoreRequest>) {
  const recovery = caches.recoveries.get(metadata.namespace, recoveryName(metadata.name));
  return recovery?.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) ? recovery : undefined;
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
  const lookup = lookupIn(context, namespace);
  const { latest } = request.spec.source;
  const server = request.spec.target.server;
  const scratch = starts ? await gatherScratch(context, request, lookup, signal) : undefined;
  const template = scratch === undefined || isRefusal(scratch) ? jobTemplate.parse({}) : scratch.template;
  return {
    request,
    source: resolveSource(request, lookup),
    hosts: starts && server !== undefined ? await findHosts(client, namespace, server, signal) : [],
    scratch,
    word:
      latest === undefined
        ? ''
        : wordOnLatest(
            newestOf(latest.policyRef.name, latest.method, lookup),
            latest.policyRef.name,
            latest.method,
            lookup,
          ),
    account: starts ? await ensureAgentAccount(context, request, template, signal) : undefined,
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
    runOfBackup: (backupID) =>
      caches.runs
        .list()
        .find(({ metadata, status }) => metadata.namespace === namespace && status?.backupID === backupID),
    runsOf: (policy) => caches.runs.byIndex(indexes.policy, `${namespace}/${policy}`),
    policy: (name) => caches.policies.get(namespace, name),
    repository: (name) => caches.repositories.get(namespace, name),
  };
}
