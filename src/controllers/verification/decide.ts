import type { BackupPolicy, BackupRun, PitrRecovery, RestoreRequest } from '../../api/kinds.ts';
import type { Drill, LastVerification, VerificationStatus } from '../../api/verification.ts';
import { type NewCondition, rfc3339 } from '../../domain/conditions.ts';
import { annotations } from '../../domain/labels.ts';
import { nextFiring } from '../../domain/schedule.ts';
import { drillHistory } from '../../domain/verification/drill-history.ts';
import { dueTime, type Made } from '../../domain/verification/due-time.ts';
import { isPartial, isRecovery, verdictOf } from '../../domain/verification/verdict.ts';
import { isYetToCome } from '../../domain/yet-to-come.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import type { DueBackup } from '../archiving/judge.ts';
import { hasEnded } from '../run-progress.ts';
import { buildTrial } from './build.ts';
import { replacement, verificationEvents, verified } from './judge.ts';
import { type Mark, marksOf } from './marks.ts';

export type Trial = PitrRecovery | RestoreRequest;
type Method = LastVerification['method'];

export interface GatheredVerification {
  readonly policy: BackupPolicy;
  readonly runs: readonly BackupRun[];
  /** The verifications of the policy that are there, of either kind. */
  readonly trials: readonly Trial[];
  readonly drills: readonly PitrRecovery[];
  /** From 0 to 1. */
  readonly random: () => number;
  readonly now: Date;
}

export interface VerificationDecision {
  readonly create: Desired | undefined;
  /** The oldest that have ended, beyond those that are kept. */
  readonly remove: readonly Trial[];
  readonly marks: readonly Mark[];
  readonly backup: (DueBackup & { readonly method: Method }) | undefined;
  readonly conditions: readonly NewCondition[];
  readonly status: VerificationStatus | undefined;
  readonly drills: readonly Drill[];
  readonly events: readonly EventNote[];
  readonly nextTime: Date | undefined;
}

/** Of each method. */
const kept = 10;

/** What is to be verified now, and what follows from what was; pure. Never two at once. */
export function decideVerification(gathered: GatheredVerification): VerificationDecision {
  const { policy, runs, trials, drills, now } = gathered;
  const { verification, suspend } = policy.spec;
  const before = policy.status?.verification;
  const verdicts = trials.map((trial) => verdictOf(trial, scheduledTimeOf(trial), runs, isPartial(policy)));
  const last = lastOf(verdicts, before?.last ?? []);
  const told = {
    create: undefined,
    remove: surplus(trials),
    marks: marksOf(verdicts, runs, now),
    drills: drillHistory(policy.status?.drills, drills),
    events: verificationEvents(before?.last ?? [], last),
    backup: undefined,
    nextTime: undefined,
  };
  const lastTime = last
    .flatMap(({ time }) => time ?? [])
    .toSorted()
    .at(-1);
  const known = { ...(lastTime === undefined ? {} : { lastTime }), ...(last.length === 0 ? {} : { last: [...last] }) };
  if (verification === undefined) return { ...told, conditions: [], status: undefined };
  const methods = methodsOf(policy, runs);
  // What a policy that is suspended did not do is not made up for afterwards.
  if (suspend) return { ...told, conditions: [verified(methods, last, undefined)], status: known };
  const { cron, timeZone } = verification;
  const schedule = `${cron} ${timeZone}`;
  const stated = before?.schedule === schedule && before.since !== undefined ? new Date(before.since) : now;
  const since = isYetToCome(stated.getTime(), now) ? now : stated;
  const made = (method: Method) => madeOf(verdicts, before?.last ?? []).filter((each) => each.method === method);
  let create: Desired | undefined;
  let next: Date | undefined;
  try {
    next = nextFiring(cron, timeZone, now);
    if (trials.every(hasEnded))
      for (const method of methods) {
        const due = dueTime(verification, since, made(method), now);
        if (due !== undefined)
          create ??= buildTrial(method, { policy, verification, runs, due, random: gathered.random });
      }
  } catch (error) {
    const message = `spec.verification cannot be used: ${error instanceof Error ? error.message : String(error)}.`;
    return { ...told, conditions: [unusable(message)], status: known };
  }
  if (next === undefined)
    return { ...told, conditions: [unusable(`spec.verification.cron '${cron}' never fires.`)], status: known };
  const nextTime = rfc3339(next);
  return {
    ...told,
    create,
    backup: replacement(policy, last, runs, now),
    conditions: [verified(methods, last, nextTime)],
    status: { schedule, since: rfc3339(since), nextTime, ...known },
    nextTime: next,
  };
}

function unusable(message: string): NewCondition {
  return { type: 'Verified', status: 'Unknown', reason: 'InvalidSchedule', message };
}

/** Those that the schedules make; without any schedule, those of which there are backups. Physical comes first. */
function methodsOf({ spec }: BackupPolicy, runs: readonly BackupRun[]): readonly Method[] {
  const made = runs.filter(({ status }) => status?.phase === 'Completed').map((run) => run.spec.method);
  const wanted = new Set(spec.schedules.length > 0 ? spec.schedules.map(({ method }) => method) : made);
  return (['Physical', 'Logical'] as const).filter((method) => wanted.has(method));
}

function scheduledTimeOf({ metadata }: Trial): string {
  const stated = metadata.annotations?.[annotations.scheduledTime];
  return stated === undefined || Number.isNaN(Date.parse(stated)) ? metadata.creationTimestamp : stated;
}

/** The newest of each method that has ended, also where its object is gone; where none has, the one that runs. */
function lastOf(
  verdicts: readonly LastVerification[],
  before: readonly LastVerification[],
): readonly LastVerification[] {
  return (['Physical', 'Logical'] as const).flatMap((method) => {
    const own = verdicts.filter((each) => each.method === method);
    const old = before.filter((each) => each.method === method && !own.some(({ name }) => name === each.name));
    const ended = [...own, ...old].filter(({ outcome }) => outcome !== undefined);
    const [newest] = ended.toSorted((one, other) => other.startTime.localeCompare(one.startTime));
    const open = own[0] ?? old.map((each) => ({ ...each, ...gone(each.name) }))[0];
    return newest ?? open ?? [];
  });
}

function gone(name: string) {
  const message = `${name} was removed before it ended.`;
  return { outcome: 'Unknown', reason: 'VerificationGone', message } as const;
}

function madeOf(
  verdicts: readonly LastVerification[],
  before: readonly LastVerification[],
): readonly (Made & { readonly method: Method })[] {
  return [...verdicts, ...before].map(({ method, scheduledTime, startTime }) => ({
    method,
    scheduledTime: new Date(scheduledTime),
    startTime: new Date(startTime),
  }));
}

function surplus(trials: readonly Trial[]): readonly Trial[] {
  const ended = trials
    .filter((trial) => hasEnded(trial) && trial.metadata.deletionTimestamp === undefined)
    .toSorted((one, other) => other.metadata.creationTimestamp.localeCompare(one.metadata.creationTimestamp));
  return [ended.filter(isRecovery), ended.filter((trial) => !isRecovery(trial))].flatMap((own) => own.slice(kept));
}
