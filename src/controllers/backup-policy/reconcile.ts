import { backupPolicySpec } from '../../api/backup-policy.ts';
import type { BackupPolicy } from '../../api/kinds.ts';
import { operatorFieldManager } from '../../domain/labels.ts';
import type { Outcome } from '../../kube/controller.ts';
import { apply, remove } from '../../kube/objects.ts';
import type { Cached, Context } from '../context.ts';
import { indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findHosts } from '../find-hosts.ts';
import { writeStatus } from '../write-status.ts';
import { decide, type Gathered, ownedStatus } from './decide.ts';

/** Something outside the caches may have changed: the workload, its Service, an account. */
const lookAgainMilliseconds = 10 * 60_000;
const lookAgainRefused = 15_000;

export async function reconcilePolicy(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const policy = context.caches.policies.get(namespace, name);
  if (policy === undefined || policy.metadata.deletionTimestamp !== undefined) return 'done';
  const gathered = await gather(context, policy, signal);
  const decision = decide(gathered);
  for (const cronJob of decision.apply) await apply(context.client, cronJob, operatorFieldManager, signal);
  for (const { metadata } of decision.remove)
    await remove(context.client, { kind: 'CronJob', namespace, name: metadata.name, uid: metadata.uid }, signal);
  for (const { metadata } of decision.prune)
    await remove(context.client, { kind: 'BackupRun', namespace, name: metadata.name, uid: metadata.uid }, signal);
  await writeStatus(context, policy, ownedStatus, decision.status, signal);
  for (const event of decision.events) context.record(policy, event);
  const waiting = decision.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'False');
  const until =
    decision.lookAgainAt === undefined
      ? Number.POSITIVE_INFINITY
      : decision.lookAgainAt.getTime() - gathered.now.getTime();
  return {
    requeueAfterMilliseconds: Math.max(1000, Math.min(until, waiting ? lookAgainRefused : lookAgainMilliseconds)),
  };
}

async function gather(context: Context, policy: Cached<BackupPolicy>, signal: AbortSignal): Promise<Gathered> {
  const { namespace, name } = policy.metadata;
  const { caches, client, settings, clock } = context;
  const spec = backupPolicySpec.parse(policy.spec);
  return {
    policy: { ...policy, spec },
    repositories: spec.repositoryRefs.map((ref) => caches.repositories.get(namespace, ref.name)),
    hosts: await findHosts(client, namespace, spec.source, signal),
    account: await ensureAgentAccount(context, namespace, spec.jobTemplate, signal),
    runs: caches.runs.byIndex(indexes.policy, `${namespace}/${name}`),
    cronJobs: caches.cronJobs.byIndex(indexes.policy, `${namespace}/${name}`),
    agent: settings.agent,
    now: clock.now(),
  };
}
