import { backupPolicySpec } from '../../api/backup-policy.ts';
import type { BackupPolicy } from '../../api/kinds.ts';
import { conditionsAfter } from '../../domain/conditions.ts';
import { operatorFieldManager } from '../../domain/labels.ts';
import { isNamespaceTerminating } from '../../kube/api-error.ts';
import type { Outcome } from '../../kube/controller.ts';
import { apply, remove } from '../../kube/objects.ts';
import { type ArchivingOutcome, isArchiving, letGo, reconcileArchiving } from '../archiving/reconcile.ts';
import type { Cached, Context } from '../context.ts';
import { indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findHosts } from '../find-hosts.ts';
import { refusalOf } from '../jobs/create-job.ts';
import { parseSpec } from '../parse-spec.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import { refuseObject } from '../refuse-object.ts';
import { type RetentionOutcome, reconcileRetention } from '../retention/reconcile.ts';
import { reconcileVerification, type VerificationOutcome } from '../verification/reconcile.ts';
import { writeStatus } from '../write-status.ts';
import { type Decision, decide, eventsOf, type Gathered } from './decide.ts';
import { ownedStatus } from './owned-status.ts';

/** Something outside the caches may have changed: the workload, its Service, an account. */
const lookAgainMilliseconds = 10 * 60_000;
const lookAgainRefused = 15_000;

export async function reconcilePolicy(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const stored = context.caches.policies.get(namespace, name);
  if (stored === undefined) return 'done';
  const parsed = parseSpec(backupPolicySpec, stored.spec, 'The BackupPolicy');
  const isGoing = stored.metadata.deletionTimestamp !== undefined;
  if (isRefusal(parsed)) return isGoing ? 'done' : await refuseObject(context, stored, parsed, 'Schedule', signal);
  const policy = { ...stored, spec: parsed.spec };
  if (isGoing) return await reconcileDeletion(context, policy, signal);
  const surroundings = await lookAround(context, policy, signal);
  const archiving = await reconcileArchiving(context, { policy, ...surroundings }, signal);
  const retention = await reconcileRetention(context, { policy, ...surroundings }, signal);
  const verification = await reconcileVerification(context, { policy, ...surroundings }, signal);
  const gathered = gather(context, policy, surroundings, { archiving, retention, verification });
  const first = decide(gathered);
  const rejection = await applyCronJobs(context, first, signal);
  const decision = rejection === undefined ? first : decide({ ...gathered, rejection });
  for (const { metadata } of decision.remove)
    await remove(context.client, { kind: 'CronJob', namespace, name: metadata.name, uid: metadata.uid }, signal);
  for (const { metadata } of decision.prune)
    await remove(context.client, { kind: 'BackupRun', namespace, name: metadata.name, uid: metadata.uid }, signal);
  await writeStatus(context, policy, ownedStatus, decision.status, signal);
  for (const event of decision.events) context.record(policy, event);
  const until =
    decision.lookAgainAt === undefined
      ? Number.POSITIVE_INFINITY
      : decision.lookAgainAt.getTime() - gathered.now.getTime();
  const patience = decision.lookAgainSoon ? lookAgainRefused : lookAgainMilliseconds;
  const others = [archiving.lookAgain, retention.lookAgain, verification.lookAgain].map(
    (wait) => wait ?? Number.POSITIVE_INFINITY,
  );
  const soonest = Math.min(until, patience, ...others);
  return { requeueAfterMilliseconds: Math.max(1000, soonest) };
}

/** What archiving has set is taken back; the rest goes with the object. A namespace that goes takes no watcher any more. */
async function reconcileDeletion(
  context: Context,
  policy: Cached<BackupPolicy>,
  signal: AbortSignal,
): Promise<Outcome> {
  if (!isArchiving(policy)) return 'done';
  try {
    const surroundings = await lookAround(context, policy, signal);
    const { conditions, lookAgain } = await reconcileArchiving(context, { policy, ...surroundings }, signal);
    const { status = {}, metadata } = policy;
    const others = (status.conditions ?? []).filter(({ type }) => !conditions.some((each) => each.type === type));
    const now = context.clock.now();
    const after = conditionsAfter(status.conditions, [...others, ...conditions], metadata.generation, now);
    const owned = Object.fromEntries(
      ownedStatus.flatMap((key) => (status[key] === undefined ? [] : [[key, status[key]]])),
    );
    await writeStatus(context, policy, ownedStatus, { ...owned, conditions: after }, signal);
    for (const event of eventsOf(policy, after)) context.record(policy, event);
    return lookAgain === undefined ? 'done' : { requeueAfterMilliseconds: lookAgain };
  } catch (error) {
    if (!isNamespaceTerminating(error)) throw error;
    const { namespace, name } = policy.metadata;
    const words =
      'The namespace goes away, so what archiving has set in a server outside of it stays: its slot, above all';
    context.log.warn({ namespace, policy: name, source: policy.spec.source.host }, words);
    await letGo(context, policy, signal);
    return 'done';
  }
}

/** What the API server does not take is a matter for a person, who is to read it in the policy's status. */
async function applyCronJobs(
  { client }: Context,
  decision: Decision,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  try {
    for (const cronJob of decision.apply) await apply(client, cronJob, operatorFieldManager, signal);
    return undefined;
  } catch (error) {
    const refusal = refusalOf(error, 'CronJob');
    if (refusal === undefined) throw error;
    return refusal;
  }
}

async function lookAround(context: Context, policy: Cached<BackupPolicy>, signal: AbortSignal) {
  const { namespace, name } = policy.metadata;
  const { caches, client } = context;
  const { spec } = policy;
  return {
    repositories: spec.repositoryRefs.map((ref) => caches.repositories.get(namespace, ref.name)),
    hosts: await findHosts(client, namespace, spec.source, signal),
    account: await ensureAgentAccount(context, policy, spec.jobTemplate, signal),
    runs: caches.runs.byIndex(indexes.policy, `${namespace}/${name}`),
  };
}

function gather(
  { caches, settings, clock }: Context,
  policy: Cached<BackupPolicy>,
  surroundings: Awaited<ReturnType<typeof lookAround>>,
  outcomes: {
    readonly archiving: ArchivingOutcome;
    readonly retention: RetentionOutcome;
    readonly verification: VerificationOutcome;
  },
): Gathered {
  const { namespace, name } = policy.metadata;
  return {
    policy,
    ...surroundings,
    ...outcomes,
    cronJobs: caches.cronJobs.byIndex(indexes.policy, `${namespace}/${name}`),
    agent: settings.agent,
    now: clock.now(),
  };
}
