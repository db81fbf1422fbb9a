import { backupPolicySpec } from '../../api/backup-policy.ts';
import type { BackupPolicy } from '../../api/kinds.ts';
import { operatorFieldManager } from '../../domain/labels.ts';
import type { Outcome } from '../../kube/controller.ts';
import { apply, remove } from '../../kube/objects.ts';
import type { Cached, Context } from '../context.ts';
import { indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findHosts } from '../find-hosts.ts';
import { refusalOf } from '../jobs/create-job.ts';
import { parseSpec } from '../parse-spec.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import { refuseObject } from '../refuse-object.ts';
import { writeStatus } from '../write-status.ts';
import { type Decision, decide, type Gathered, ownedStatus } from './decide.ts';

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
  if (stored === undefined || stored.metadata.deletionTimestamp !== undefined) return 'done';
  const parsed = parseSpec(backupPolicySpec, stored.spec, 'The BackupPolicy');
  if (isRefusal(parsed)) return await refuseObject(context, stored, parsed, 'Schedule', signal);
  const policy = { ...stored, spec: parsed.spec };
  const gathered = await gather(context, policy, signal);
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
  return { requeueAfterMilliseconds: Math.max(1000, Math.min(until, patience)) };
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

async function gather(context: Context, policy: Cached<BackupPolicy>, signal: AbortSignal): Promise<Gathered> {
  const { namespace, name } = policy.metadata;
  const { caches, client, settings, clock } = context;
  const { spec } = policy;
  return {
    policy,
    repositories: spec.repositoryRefs.map((ref) => caches.repositories.get(namespace, ref.name)),
    hosts: await findHosts(client, namespace, spec.source, signal),
    account: await ensureAgentAccount(context, policy, spec.jobTemplate, signal),
    runs: caches.runs.byIndex(indexes.policy, `${namespace}/${name}`),
    cronJobs: caches.cronJobs.byIndex(indexes.policy, `${namespace}/${name}`),
    agent: settings.agent,
    now: clock.now(),
  };
}
