import { backupPolicySpec } from '../../../api/backup-policy.ts';
import type { BackupPolicy, BackupRepository, BackupRun } from '../../../api/kinds.ts';
import { isStoredInSome } from '../../../domain/stored-in-some.ts';
import { remove } from '../../../kube/objects.ts';
import { type Cached, type Context, indexes } from '../../context.ts';
import { ensureAgentAccount } from '../../ensure-agent-account.ts';
import { createJob, isCreated } from '../../jobs/create-job.ts';
import { findJob } from '../../jobs/find-job.ts';
import { parseSpec } from '../../parse-spec.ts';
import { isRefusal } from '../../refusal.ts';
import { ownedRunStatus } from '../../run-progress.ts';
import { writeStatus } from '../../write-status.ts';
import { copyJobName } from './build-copy-job.ts';
import { decideCopies } from './decide.ts';

const again = 15_000;

/** Has the backup of a run that ended copied to where it is lacking; gives when to look again, in milliseconds. */
export async function catchUp(
  context: Context,
  run: Cached<BackupRun>,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { caches, client, settings, clock } = context;
  const { namespace, uid } = run.metadata;
  const name = copyJobName(run);
  const present = caches.jobs.get(namespace, name);
  const job = findJob(caches, { namespace, name, owner: uid });
  if (!isStoredInSome(run.status) && job === undefined) return undefined;
  const policy = policyOf(context, run);
  const decision = decideCopies({
    run,
    policy,
    repositories: repositoriesOf(context, run),
    others: caches.runs
      .byIndex(indexes.policy, `${namespace}/${run.spec.policyRef.name}`)
      .filter(({ metadata }) => metadata.uid !== uid),
    job,
    isBusy: present !== undefined && job === undefined,
    agent: settings.agent,
    now: clock.now(),
  });
  if (decision.create !== undefined && policy !== undefined) {
    const account = await ensureAgentAccount(context, run, policy.spec.jobTemplate, signal);
    if (account !== undefined) return again;
    const created = await createJob(client, run, decision.create, signal);
    // Another run's copy was quicker.
    if (!isCreated(created) || created === 'waiting') return again;
  }
  if (decision.status !== undefined)
    await writeStatus(context, run, [...ownedRunStatus, 'catchUp'], decision.status, signal);
  for (const event of decision.events) context.record(run, event);
  // Last: what it has said is in the status by now.
  if (decision.removeJob && job !== undefined) {
    await remove(client, { kind: 'Job', namespace, name, uid: job.job.metadata.uid }, signal);
  }
  return decision.lookAgainMilliseconds;
}

function policyOf({ caches }: Context, run: Cached<BackupRun>): BackupPolicy | undefined {
  const { name } = run.spec.policyRef;
  const stored = caches.policies.get(run.metadata.namespace, name);
  if (stored === undefined) return undefined;
  const parsed = parseSpec(backupPolicySpec, stored.spec, `BackupPolicy ${name}`);
  return isRefusal(parsed) ? undefined : { ...stored, spec: parsed.spec };
}

function repositoriesOf({ caches }: Context, run: Cached<BackupRun>): ReadonlyMap<string, BackupRepository> {
  const found = new Map<string, BackupRepository>();
  for (const { name } of run.status?.repositories ?? []) {
    const repository = caches.repositories.get(run.metadata.namespace, name);
    if (repository !== undefined) found.set(name, repository);
  }
  return found;
}
