import type { RetentionStatus } from '../../api/retention.ts';
import { rfc3339 } from '../../domain/conditions.ts';
import { terminal } from '../../domain/failure.ts';
import { clockSlack, findDoubt } from '../../domain/retention/doubts.ts';
import { makePlan, type Plan, type Reckoned } from '../../domain/retention/plan.ts';
import { hasRule } from '../../domain/retention/rules.ts';
import type { ExpireTask } from '../../domain/task.ts';
import { openStore } from '../../repository/open.ts';
import type { Store } from '../../repository/store.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import { carryOut } from './carry-out.ts';
import type { RetentionCluster } from './cluster.ts';
import { describe } from './describe.ts';
import { type ReadRepository, readRepository } from './read-repository.ts';
import { reckon } from './reckon.ts';

export interface ExpireContext extends ActionContext<ExpireTask> {
  readonly cluster: RetentionCluster;
  readonly jobName: string;
  readonly mountRoot?: string;
  /** For tests. */
  readonly clock?: () => Date;
}

/** A Job waits for its pod no longer than this: activeDeadlineSeconds of the Job. */
const longestWait = 3_600_000;

/**
 * Plans what goes of a policy's backups and WAL, publishes it in the policy's status, and deletes what the status had
 * already said, its time come. Everything is read and judged before anything is deleted; any doubt ends it before.
 */
export async function runExpire(context: ExpireContext): Promise<ActionOutcome> {
  const { task, reporter, signal, cluster, jobName, clock = () => new Date() } = context;
  const published = await cluster.published();
  // What was planned stays told, whatever comes of this Job.
  await reporter.facts({ retention: { ...published, jobName } });
  const now = clock();
  checkClock(task, published, now);
  if (!hasRule(task.retention))
    throw terminal(
      'NoRule',
      'spec.retention has no rule that lets anything go: minBackups alone only keeps. Nothing was deleted. Set recoveryWindow or one of keepLast, keepDaily, keepWeekly, keepMonthly and keepYearly, or take spec.retention out.',
    );
  const stores: Store[] = [];
  try {
    const repositories = await readAll(context, stores);
    for (const { name, backups, wals } of repositories) {
      const doubt = findDoubt({ repository: name, backups, wals, now });
      if (doubt !== undefined) throw terminal(doubt.reason, doubt.message);
    }
    const reckoned: Reckoned[] = [];
    for (const repository of repositories) reckoned.push(await reckon(repository, task, published, now, signal));
    const plan = makePlan({ repositories: reckoned, published, dryRun: task.retention.dryRun, now });
    const before = { ...published, ...statusOf(plan, task, now, jobName) };
    await reporter.facts({ retention: before });
    const { after, failure } = await carryOut({
      context,
      repositories,
      reckoned,
      plan,
      status: before,
      published,
      now,
    });
    await reporter.facts({ retention: after });
    if (failure !== undefined) throw failure;
    return describe(after, published);
  } finally {
    for (const store of stores) await store.close();
  }
}

async function readAll(
  { task, signal, mountRoot }: ExpireContext,
  stores: Store[],
): Promise<readonly ReadRepository[]> {
  const read: ReadRepository[] = [];
  for (const [index, repository] of task.repositories.entries()) {
    const store = await openStore(repository, index, mountRoot === undefined ? {} : { mountRoot });
    stores.push(store);
    read.push(await readRepository(store, repository.name, task, signal));
  }
  return read;
}

function statusOf(plan: Plan, task: ExpireTask, now: Date, jobName: string): RetentionStatus {
  return {
    plan: [...plan.plan],
    wal: [...plan.wal],
    repositories: [...plan.repositories],
    plannedTime: rfc3339(now),
    nextDueTime: plan.nextDueTime,
    generation: task.policy.generation,
    dryRun: task.retention.dryRun,
    jobName,
  };
}

/** Age is all that is judged here, so the clock must be beyond doubt: the operator's, the last Job's and this one agree. */
function checkClock({ issuedTime }: ExpireTask, { plannedTime }: RetentionStatus, now: Date): void {
  const issued = Date.parse(issuedTime);
  const planned = plannedTime === undefined ? Number.NEGATIVE_INFINITY : Date.parse(plannedTime);
  const earliest = Math.max(issued, planned) - clockSlack;
  if (now.getTime() >= earliest && now.getTime() <= issued + longestWait + clockSlack) return;
  const past = now.getTime() < earliest;
  throw terminal(
    past ? 'ClockWentBack' : 'ClockDiffers',
    `It is ${now.toISOString()} by the clock of this node, and the operator made this Job at ${issuedTime}${plannedTime === undefined ? '' : `, after the plan of ${plannedTime}`}: ${past ? 'a clock went back' : 'a clock went ahead, or the Job has waited for more than an hour'}, so nobody can tell what is old. Nothing was deleted. Set the clocks of the nodes right; it is tried again.`,
  );
}
