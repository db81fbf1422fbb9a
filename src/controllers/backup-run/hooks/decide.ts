import type { HookPhase, Hooks } from '../../../api/hooks.ts';
import type { BackupPolicy, BackupRun } from '../../../api/kinds.ts';
import { conditionsAfter, type NewCondition } from '../../../domain/conditions.ts';
import { hooksCondition, judgeHooks, notRun, outstanding } from '../../../domain/hooks/judge.ts';
import { hooksOf } from '../../../domain/hooks/name.ts';
import type { Fate } from '../../../domain/job-state.ts';
import type { EventNote } from '../../../kube/events.ts';
import type { Desired } from '../../../kube/objects.ts';
import type { AgentSettings } from '../../jobs/build-job.ts';
import type { FoundJob } from '../../jobs/find-job.ts';
import { isRefusal, type Refusal } from '../../refusal.ts';
import { statusWith } from '../catch-up/decide.ts';
import { buildHooksJob } from './build-hooks-job.ts';

export interface GatheredHooks {
  /** One that has ended, and whose condition HooksSucceeded is Unknown. */
  readonly run: BackupRun;
  /** Undefined where it is gone; a refusal where it cannot be read. */
  readonly policy: BackupPolicy | Refusal | undefined;
  readonly hosts: readonly string[] | Refusal;
  /** What stands in the way of every Job of the policy. */
  readonly account: Refusal | undefined;
  readonly job: FoundJob | undefined;
  /** What the API server said of the Job that was to be made. */
  readonly rejection?: Refusal | undefined;
  readonly agent: AgentSettings;
  readonly now: Date;
}

export interface HooksDecision {
  readonly create: Desired | undefined;
  /** All that the operator owns in the run's status. */
  readonly status: Readonly<Record<string, unknown>> | undefined;
  readonly events: readonly EventNote[];
  readonly lookAgainMilliseconds: number | undefined;
}

/** For what the agent wrote into the status to come through its watch. */
const wordPatience = 15_000;
const soon = 5_000;
/** What is missing may come back, and a hook that is late may still be wanted. */
const patience = 600_000;

/** What becomes of the hooks after a run that its agent has not run; pure. */
export function decideHooks(gathered: GatheredHooks): HooksDecision {
  const { run, policy, job, now } = gathered;
  const phase = phaseOf(run);
  const hooks = hooksIn(policy);
  // There were some when the run ended; which, nobody says any more.
  const isForgotten = hooks === undefined && run.status?.hooks?.phase === undefined;
  const waiting = isForgotten ? ['the hooks after it'] : outstanding(hooks, run.status?.hooks, phase);
  if (waiting.length === 0) return conclude(run, judgeHooks(hooks, run.status?.hooks, phase), now);
  if (job?.view.finished !== undefined) return afterJob(gathered, job, waiting);
  if (job !== undefined) return nothing;
  if (policy === undefined)
    return conclude(run, [notRun(waiting, 'Their BackupPolicy is gone, and nobody else knows what they do.')], now);
  const made =
    refusalOf(gathered) ?? buildHooksJob({ ...gathered, policy: readable(policy), phase, outstanding: waiting });
  if (!isRefusal(made)) return { ...nothing, create: made };
  const waited = now.getTime() - Date.parse(run.status?.completionTime ?? run.metadata.creationTimestamp);
  if (made.reason !== 'HooksGone' && waited < patience) return { ...nothing, lookAgainMilliseconds: soon };
  return conclude(run, [notRun(waiting, made.message)], now);
}

/** Said with the end itself, so that no hook is forgotten: what is not run yet makes the condition Unknown. */
export function hooksAtEnd(
  { run, policy }: Pick<GatheredHooks, 'run' | 'policy'>,
  state: Fate['state'],
): readonly NewCondition[] {
  if (state === 'Pending' || state === 'Running') return [];
  return judgeHooks(hooksIn(policy), run.status?.hooks, state);
}

function hooksIn(policy: GatheredHooks['policy']): Hooks | undefined {
  return policy === undefined || isRefusal(policy) ? undefined : hooksOf(policy.spec);
}

const nothing: HooksDecision = { create: undefined, status: undefined, events: [], lookAgainMilliseconds: undefined };

/** A backup that retention has deleted meanwhile was a success. */
function phaseOf({ status }: BackupRun): HookPhase {
  return status?.phase === 'Failed' || status?.phase === 'Cancelled' ? status.phase : 'Completed';
}

function refusalOf({ policy, account, rejection }: GatheredHooks): Refusal | undefined {
  return rejection ?? (policy !== undefined && isRefusal(policy) ? policy : undefined) ?? account;
}

function readable(policy: BackupPolicy | Refusal): BackupPolicy {
  if (isRefusal(policy)) throw new Error(policy.message);
  return policy;
}

function afterJob({ run, now }: GatheredHooks, { view }: FoundJob, waiting: readonly string[]): HooksDecision {
  const { finished, pods } = view;
  const since = now.getTime() - Date.parse(finished?.time ?? '');
  if (since < wordPatience) return { ...nothing, lookAgainMilliseconds: soon };
  const word = pods.findLast(({ termination }) => termination !== undefined)?.termination?.message;
  if (finished?.outcome === 'Complete') {
    const message = `${waiting.join(', ')}: they were run, and what became of them did not reach the API server. ${word ?? ''}`;
    return conclude(run, [{ type: hooksCondition, status: 'False', reason: 'HooksNotTold', message }], now);
  }
  const trouble = pods.find((pod) => pod.trouble !== undefined)?.trouble?.message;
  const why = trouble ?? word ?? finished?.message ?? '';
  return conclude(run, [notRun(waiting, `Their Job failed: ${why}`)], now);
}

/** The last word on the hooks of a run, told once. */
function conclude(run: BackupRun, judged: readonly NewCondition[], now: Date): HooksDecision {
  const { conditions = [] } = run.status ?? {};
  const others = conditions.filter(({ type }) => type !== hooksCondition);
  const after = conditionsAfter(conditions, judged, run.metadata.generation, now);
  return {
    ...nothing,
    status: statusWith(run, { conditions: [...others, ...after] }),
    events: hookEvents(judged),
  };
}

function hookEvents(judged: readonly NewCondition[]): readonly EventNote[] {
  return judged
    .filter(({ type, status }) => type === hooksCondition && status === 'False')
    .map(({ reason, message }) => ({ type: 'Warning', reason, action: 'Hook', note: message }));
}

export function hooksPending({ status }: Pick<BackupRun, 'status'>): boolean {
  return isPending(status?.conditions ?? []);
}

export function isPending(conditions: readonly Pick<NewCondition, 'type' | 'status'>[]): boolean {
  return conditions.some(({ type, status }) => type === hooksCondition && status === 'Unknown');
}
