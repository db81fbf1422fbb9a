import type { BackupRun } from '../../../api/kinds.ts';
import { hasCommands, hooksOf } from '../../../domain/hooks/name.ts';
import type { Cached, Context } from '../../context.ts';
import { ensureAgentAccount } from '../../ensure-agent-account.ts';
import { findHosts } from '../../find-hosts.ts';
import { createJob, isCreated } from '../../jobs/create-job.ts';
import { findJob } from '../../jobs/find-job.ts';
import { isRefusal } from '../../refusal.ts';
import { ownedRunStatus } from '../../run-progress.ts';
import { writeStatus } from '../../write-status.ts';
import { policyOf } from '../policy-of.ts';
import { hooksJobName } from './build-hooks-job.ts';
import { decideHooks, type GatheredHooks, type HooksDecision, hooksPending } from './decide.ts';

/** A Job's own news wakes this sooner. */
const again = 30_000;

/**
 * Has the hooks run that come after a run and that its agent has not run. Gives when to look again, in milliseconds;
 * undefined where there is nothing more to do.
 */
export async function runOutstandingHooks(
  context: Context,
  run: Cached<BackupRun>,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (!hooksPending(run)) return undefined;
  const gathered = await gather(context, run, signal);
  const decision = await carryOut(context, run, gathered, signal);
  if (decision.status !== undefined)
    await writeStatus(context, run, [...ownedRunStatus, 'catchUp'], decision.status, signal);
  for (const event of decision.events) context.record(run, event);
  return decision.lookAgainMilliseconds ?? again;
}

async function carryOut(
  context: Context,
  run: Cached<BackupRun>,
  gathered: GatheredHooks,
  signal: AbortSignal,
): Promise<HooksDecision> {
  const wanted = decideHooks(gathered);
  if (wanted.create === undefined) return wanted;
  const created = await createJob(context.client, run, wanted.create, signal);
  return isCreated(created) ? wanted : decideHooks({ ...gathered, rejection: created });
}

async function gather(context: Context, run: Cached<BackupRun>, signal: AbortSignal): Promise<GatheredHooks> {
  const { caches, client, settings, clock } = context;
  const { namespace, uid } = run.metadata;
  const policy = policyOf(context, run);
  const job = findJob(caches, { namespace, name: hooksJobName(run), owner: uid });
  const starts = job === undefined && policy !== undefined && !isRefusal(policy);
  const hooks = starts ? hooksOf(policy.spec) : undefined;
  return {
    run,
    policy,
    job,
    hosts:
      starts && hooks !== undefined && hasCommands(hooks)
        ? await findHosts(client, namespace, policy.spec.source, signal)
        : [],
    account: starts ? await ensureAgentAccount(context, run, policy.spec.jobTemplate, signal) : undefined,
    agent: settings.agent,
    now: clock.now(),
  };
}
