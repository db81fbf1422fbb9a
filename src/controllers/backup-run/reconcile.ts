import { isDeepStrictEqual } from 'node:util';
import { backupPolicySpec } from '../../api/backup-policy.ts';
import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import { operatorFieldManager } from '../../domain/labels.ts';
import type { Outcome } from '../../kube/controller.ts';
import { createIfAbsent, patchFinalizers, read, remove } from '../../kube/objects.ts';
import { type Cached, type Context, indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findHosts } from '../find-hosts.ts';
import { findJob, remainingPods } from '../jobs/find-job.ts';
import { markRecorded } from '../jobs/record-job.ts';
import { hasEnded, ownedRunStatus } from '../run-progress.ts';
import { writeStatus } from '../write-status.ts';
import { adoptFacts } from './adopt-facts.ts';
import { decide, type Gathered, hadJob, runJobName } from './decide.ts';
import { decideDeletion, deleteJobName } from './deletion.ts';

export async function reconcileRun(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const run = context.caches.runs.get(namespace, name);
  if (run === undefined) return 'done';
  if (run.metadata.deletionTimestamp !== undefined) return await reconcileDeletion(context, run, signal);
  // What is adopted comes back as a change of the run, and is judged then.
  if (!hasEnded(run) && (await adoptFacts(context, run, runJobName(run), signal))) return 'done';
  const gathered = await gather(context, run, signal);
  const decision = decide(gathered);
  if (gathered.job !== undefined) await markRecorded(context, gathered.job.job, signal);
  await setFinalizers(context, run, decision.finalizers, signal);
  if (decision.create !== undefined)
    await createIfAbsent(context.client, decision.create, operatorFieldManager, signal);
  if (decision.removeJob && gathered.job !== undefined) await removeJob(context, gathered.job.job.metadata, signal);
  if (decision.status !== undefined) await writeStatus(context, run, ownedRunStatus, { ...decision.status }, signal);
  for (const event of decision.events) context.record(run, event);
  return decision.lookAgainMilliseconds === undefined
    ? 'done'
    : { requeueAfterMilliseconds: decision.lookAgainMilliseconds };
}

async function gather(context: Context, run: Cached<BackupRun>, signal: AbortSignal): Promise<Gathered> {
  const { caches, client, settings, clock } = context;
  const { namespace, name } = run.metadata;
  const stored = caches.policies.get(namespace, run.spec.policyRef.name);
  const policy: BackupPolicy | undefined =
    stored === undefined ? undefined : { ...stored, spec: backupPolicySpec.parse(stored.spec) };
  const job = findJob(caches, namespace, runJobName(run));
  // Only a run that is to start asks the API server about its surroundings.
  const starts = policy !== undefined && job === undefined && !hasEnded(run) && !hadJob(run);
  const doubtful = job === undefined && !hasEnded(run) && hadJob(run);
  return {
    run,
    policy,
    repositories: policy?.spec.repositoryRefs.map((ref) => caches.repositories.get(namespace, ref.name)) ?? [],
    hosts: starts ? await findHosts(client, namespace, policy.spec.source, signal) : [],
    account: starts ? await ensureAgentAccount(context, namespace, policy.spec.jobTemplate, signal) : undefined,
    others: caches.runs
      .byIndex(indexes.policy, `${namespace}/${run.spec.policyRef.name}`)
      .filter(({ metadata }) => metadata.name !== name),
    job,
    jobExists: doubtful && (await read(client, 'Job', namespace, runJobName(run), signal)) !== undefined,
    activePods: remainingPods(caches, namespace, runJobName(run)),
    agent: settings.agent,
    now: clock.now(),
  };
}

async function reconcileDeletion(context: Context, run: Cached<BackupRun>, signal: AbortSignal): Promise<Outcome> {
  const { caches, client, settings } = context;
  const { namespace } = run.metadata;
  const job = findJob(caches, namespace, runJobName(run));
  const decision = decideDeletion({
    run,
    job,
    activePods: remainingPods(caches, namespace, runJobName(run)),
    deleteJob: findJob(caches, namespace, deleteJobName(run)),
    repositories: (run.status?.repositories ?? []).map((ref) => caches.repositories.get(namespace, ref.name)),
    agent: settings.agent,
  });
  for (const event of decision.events) context.record(run, event);
  if (decision.removeJob && job !== undefined) await removeJob(context, job.job.metadata, signal);
  if (decision.create !== undefined) await createIfAbsent(client, decision.create, operatorFieldManager, signal);
  await setFinalizers(context, run, decision.finalizers, signal);
  return decision.finalizers.length === 0 ? 'done' : { requeueAfterMilliseconds: 30_000 };
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
