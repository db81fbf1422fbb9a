import { isDeepStrictEqual } from 'node:util';
import { backupRunSpec } from '../../api/backup-run.ts';
import type { BackupRun } from '../../api/kinds.ts';
import { isCatalogued } from '../../domain/catalogue/catalogued-run.ts';
import { storedBackupFinalizer } from '../../domain/labels.ts';
import { isNamespaceTerminating } from '../../kube/api-error.ts';
import type { Outcome } from '../../kube/controller.ts';
import { type Desired, patchFinalizers, read, remove } from '../../kube/objects.ts';
import type { Job } from '../../kube/workloads.ts';
import { acknowledge } from '../acknowledge.ts';
import { type Cached, type Context, indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findHosts } from '../find-hosts.ts';
import { type Created, createJob, isOwnedBy } from '../jobs/create-job.ts';
import { findJob, remainingPods } from '../jobs/find-job.ts';
import { arrivalMilliseconds, lastWordMayCome } from '../jobs/last-word.ts';
import { markRecorded } from '../jobs/record-job.ts';
import { isNamespaceGoing } from '../namespace-going.ts';
import { parseSpec } from '../parse-spec.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import { eventsOf, hasEnded, ownedRunStatus, statusOf } from '../run-progress.ts';
import { writeStatus } from '../write-status.ts';
import { adoptFacts } from './adopt-facts.ts';
import { cataloguedStatus } from './catalogued.ts';
import { catchUp } from './catch-up/reconcile.ts';
import {
  type Decision,
  decide,
  decideUnmade,
  type Gathered,
  hadJob,
  isScheduled,
  runJobName,
  settled,
} from './decide.ts';
import { type DeletionDecision, decideDeletion, deleteJobName, notDeleted, released } from './deletion.ts';
import { expiredEvents, expiredStatus, isExpired, isFoundAgain, isVanished, restoredStatus } from './expired.ts';
import { finishDeleted } from './hooks/finish-deleted.ts';
import { runOutstandingHooks } from './hooks/reconcile.ts';
import { policyOf } from './policy-of.ts';

export async function reconcileRun(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const run = context.caches.runs.get(namespace, name);
  if (run === undefined) return 'done';
  if (run.metadata.deletionTimestamp !== undefined) return await reconcileDeletion(context, run, signal);
  if (hasEnded(run)) return await reconcileEnded(context, run, signal);
  if (isCatalogued(run)) return await reconcileCatalogued(context, run, signal);
  const parsed = parseSpec(backupRunSpec, run.spec, 'The BackupRun');
  if (isRefusal(parsed)) return await refuse(context, run, parsed, signal);
  // What is adopted comes back as a change of the run, and is judged then.
  if (await adoptFacts(context, run, runJobName(run), signal)) return 'done';
  const gathered = await gather(context, run, signal);
  if (await lastWordMayCome(context, run, gathered.job, signal))
    return { requeueAfterMilliseconds: arrivalMilliseconds };
  const wanted = decide(gathered);
  if (gathered.job !== undefined) await markRecorded(context, gathered.job.job, signal);
  await setFinalizers(context, run, wanted.finalizers, signal);
  const created = wanted.create === undefined ? 'made' : await createJob(context.client, run, wanted.create, signal);
  const decision = created === 'made' ? wanted : decideUnmade(gathered, created);
  if (decision.removeJob && gathered.job !== undefined) await removeJob(context, gathered.job.job.metadata, signal);
  await writeDecision(context, run, decision, signal);
  return decision.lookAgainMilliseconds === undefined
    ? 'done'
    : { requeueAfterMilliseconds: decision.lookAgainMilliseconds };
}

/** Nothing but the marks, whether retention has deleted the backup, and whether a repository lacks it: thousands of runs have ended, and all of them are looked at now and then. */
async function reconcileEnded(context: Context, run: Cached<BackupRun>, signal: AbortSignal): Promise<Outcome> {
  const job = context.caches.jobs.get(run.metadata.namespace, runJobName(run));
  if (job !== undefined) await markRecorded(context, job, signal);
  await setFinalizers(context, run, settled(run).finalizers, signal);
  const hooks = await runOutstandingHooks(context, run, signal);
  if (hooks !== undefined) return { requeueAfterMilliseconds: hooks };
  if (isVanished(run)) {
    const { namespace, name, uid } = run.metadata;
    context.log.info({ namespace, run: name, path: run.status?.repositories?.[0]?.path }, 'the repository has lost it');
    await remove(context.client, { kind: 'BackupRun', namespace, name, uid }, signal);
    return 'done';
  }
  if (isExpired(run)) {
    const events = expiredEvents(run);
    await writeStatus(context, run, ownedRunStatus, expiredStatus(run, context.clock.now()), signal);
    for (const event of events) context.record(run, event);
    return 'done';
  }
  if (isFoundAgain(run)) {
    await writeStatus(context, run, ownedRunStatus, restoredStatus(run), signal);
    return 'done';
  }
  // It comes back as a change of the run.
  if (await acknowledge(context, run, [...ownedRunStatus, 'catchUp'], signal)) return 'done';
  const lookAgain = await catchUp(context, run, signal);
  return lookAgain === undefined ? 'done' : { requeueAfterMilliseconds: lookAgain };
}

const writtenWithin = 60_000;

/** It is over from its birth: there is nothing to do but to say so, once its agent has written what it is. */
async function reconcileCatalogued(context: Context, run: Cached<BackupRun>, signal: AbortSignal): Promise<Outcome> {
  await setFinalizers(context, run, settled(run).finalizers, signal);
  const now = context.clock.now();
  // Its agent writes the status next; thousands may be made at a time.
  const wait = writtenWithin - (now.getTime() - Date.parse(run.metadata.creationTimestamp));
  if (run.status?.backupID === undefined && wait > 0) return { requeueAfterMilliseconds: wait };
  const status = cataloguedStatus(run, now);
  await writeStatus(context, run, ownedRunStatus, { ...status }, signal);
  return 'done';
}

async function refuse(
  context: Context,
  run: Cached<BackupRun>,
  { reason, message }: Refusal,
  signal: AbortSignal,
): Promise<Outcome> {
  const status = statusOf(run, { state: 'Failed', reason, message }, run.status?.jobName, context.clock.now());
  await writeDecision(context, run, { status, events: eventsOf(run, status, 'Backup') }, signal);
  return 'done';
}

async function writeDecision(
  context: Context,
  run: Cached<BackupRun>,
  { status, events }: Pick<Decision, 'status' | 'events'>,
  signal: AbortSignal,
): Promise<void> {
  if (status !== undefined) await writeStatus(context, run, ownedRunStatus, { ...status }, signal);
  for (const event of events) context.record(run, event);
}

async function gather(context: Context, run: Cached<BackupRun>, signal: AbortSignal): Promise<Gathered> {
  const { caches, client, settings, clock } = context;
  const { namespace, name } = run.metadata;
  const job = findOwnJob(context, run);
  const policy = policyOf(context, run);
  // Only a run that is to start asks the API server about its surroundings.
  const starts = policy !== undefined && !isRefusal(policy) && job === undefined && !hadJob(run);
  const doubtful = job === undefined && hadJob(run);
  return {
    run,
    policy,
    repositories:
      policy === undefined || isRefusal(policy)
        ? []
        : policy.spec.repositoryRefs.map((ref) => caches.repositories.get(namespace, ref.name)),
    hosts: starts ? await findHosts(client, namespace, policy.spec.source, signal) : [],
    account: starts ? await ensureAgentAccount(context, run, policy.spec.jobTemplate, signal) : undefined,
    others: caches.runs
      .byIndex(indexes.policy, `${namespace}/${run.spec.policyRef.name}`)
      .filter(({ metadata }) => metadata.name !== name),
    job,
    jobExists: doubtful && (await jobExists(context, run, signal)),
    activePods: remainingPods(caches, namespace, runJobName(run)),
    agent: settings.agent,
    now: clock.now(),
  };
}

/** A schedule's Job belongs to its CronJob; a hand-made run's to the run. */
function ownerOf(run: Cached<BackupRun>): string | undefined {
  return isScheduled(run) ? undefined : run.metadata.uid;
}

function findOwnJob({ caches }: Context, run: Cached<BackupRun>) {
  return findJob(caches, { namespace: run.metadata.namespace, name: runJobName(run), owner: ownerOf(run) });
}

async function jobExists({ client }: Context, run: Cached<BackupRun>, signal: AbortSignal): Promise<boolean> {
  const job = await read<Job>(client, 'Job', run.metadata.namespace, runJobName(run), signal);
  const owner = ownerOf(run);
  return job !== undefined && (owner === undefined || isOwnedBy(job, owner));
}

async function reconcileDeletion(context: Context, run: Cached<BackupRun>, signal: AbortSignal): Promise<Outcome> {
  const { caches, settings } = context;
  const { namespace, uid } = run.metadata;
  const job = findOwnJob(context, run);
  const activePods = remainingPods(caches, namespace, runJobName(run));
  const isOver = activePods.length === 0 && (job === undefined || job.view.finished !== undefined);
  const hooks = await finishDeleted(context, run, { policy: policyOf(context, run), isOver }, signal);
  if (hooks !== undefined) return { requeueAfterMilliseconds: hooks };
  const wanted = decideDeletion({
    run,
    job,
    activePods,
    deleteJob: findJob(caches, { namespace, name: deleteJobName(run), owner: uid }),
    repositories: (run.status?.repositories ?? []).map((ref) => caches.repositories.get(namespace, ref.name)),
    agent: settings.agent,
  });
  if (wanted.removeJob && job !== undefined) await removeJob(context, job.job.metadata, signal);
  const started =
    wanted.create === undefined ? wanted : await startDeletion(context, run, wanted, wanted.create, signal);
  // What is told stands in the way, and may for ever: a hold, a repository that is gone.
  const isStuck = started.finalizers.includes(storedBackupFinalizer) && started.events.length > 0;
  const isGoing = isStuck && (await isNamespaceGoing(context.client, namespace, signal));
  const decision = isGoing ? letGo(context, run) : started;
  for (const event of decision.events) context.record(run, event);
  await setFinalizers(context, run, decision.finalizers, signal);
  return decision.finalizers.length === 0 ? 'done' : { requeueAfterMilliseconds: 30_000 };
}

/** A namespace that goes away takes no Job any more: its runs are let go, or it would never be gone. */
async function startDeletion(
  context: Context,
  run: Cached<BackupRun>,
  decision: DeletionDecision,
  job: Desired,
  signal: AbortSignal,
): Promise<DeletionDecision> {
  try {
    const created: Created | Refusal = await createJob(context.client, run, job, signal);
    return typeof created === 'string' ? decision : { ...decision, events: [notDeleted(run, created.message)] };
  } catch (error) {
    if (!isNamespaceTerminating(error)) throw error;
    return letGo(context, run);
  }
}

function letGo({ log }: Context, run: Cached<BackupRun>): DeletionDecision {
  const { namespace, name } = run.metadata;
  log.warn(
    { namespace, run: name, backupID: run.status?.backupID, repositories: run.status?.repositories },
    'The namespace goes away, so the stored backup of a deleted BackupRun stays where it is; remove it by hand',
  );
  return released(run);
}

async function setFinalizers(
  { client }: Context,
  run: Cached<BackupRun>,
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const present = run.metadata.finalizers ?? [];
  if (isDeepStrictEqual([...present].sort(), [...finalizers].sort())) return;
  await patchFinalizers(client, run, finalizers, signal);
}

async function removeJob(
  { client }: Context,
  { namespace, name, uid }: { readonly namespace: string; readonly name: string; readonly uid: string },
  signal: AbortSignal,
): Promise<void> {
  await remove(client, { kind: 'Job', namespace, name, uid }, signal);
}
