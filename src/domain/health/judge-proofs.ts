import type { Condition } from '../../api/condition.ts';
import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import type { Drill } from '../../api/verification.ts';
import { findCondition } from '../conditions.ts';
import { duration } from '../display/quantities.ts';
import { longestInterval } from '../schedule.ts';
import type { Finding } from './finding.ts';

/** That something was brought back, by whom, and how long that took. */
export interface Proof {
  /** RFC 3339. */
  readonly time: string;
  readonly by: string | undefined;
  readonly seconds: number | undefined;
}

/** The newest of the verifications, the verified runs and the drills that ended well; undefined where none is known. */
export function newestProof({ status }: BackupPolicy, runs: readonly BackupRun[]): Proof | undefined {
  let newest: Proof | undefined;
  const take = (time: string | undefined, by: string | undefined, seconds: number | undefined) => {
    if (time !== undefined && time > (newest?.time ?? '')) newest = { time, by, seconds };
  };
  for (const { outcome, time, name, restoreSeconds } of status?.verification?.last ?? [])
    if (outcome === 'Good') take(time, name, restoreSeconds);
  for (const run of runs)
    take(run.status?.verified?.time, run.status?.verified?.by, run.status?.verified?.restoreSeconds);
  for (const { outcome, time, name, rtoSeconds } of status?.drills ?? [])
    if (outcome === 'Completed') take(time, name, rtoSeconds);
  return newest;
}

/** The newest drill that had objectives and measured them. */
export function newestMeasure({ status }: BackupPolicy): Drill | undefined {
  return newestDrill((status?.drills ?? []).filter(({ objectivesMet }) => objectivesMet !== undefined));
}

/** A policy is proven by what was brought back; what cannot be judged proves nothing. */
export function* judgeProofs(policy: BackupPolicy, runs: readonly BackupRun[], now: Date): Iterable<Finding> {
  const { spec, status } = policy;
  const proof = newestProof(policy, runs);
  const said = findCondition(status?.conditions, 'Verified');
  if (said?.status === 'Unknown') yield* doubt(said, proof);
  else if (said === undefined && spec.verification !== undefined && !spec.suspend)
    yield { level: 'unknown', words: 'The operator has not said the condition Verified yet.', reason: 'NotLookedAt' };
  else if (proof === undefined && said?.status !== 'False')
    yield {
      level: 'unproven',
      words:
        'No backup of this policy was ever brought back, as far as is known. Set spec.verification, or run kubectl tidemark drill.',
      reason: 'NeverProven',
    };
  yield* overdue(policy, now);
  const last = newestDrill(status?.drills ?? []);
  if (last?.outcome === 'Failed')
    yield {
      level: 'failing',
      words: `The last drill, ${last.name}, did not bring the server back.`,
      reason: last.reason ?? 'DrillFailed',
      since: last.time,
    };
  const measure = newestMeasure(policy);
  if (measure?.objectivesMet === false)
    yield { level: 'attention', words: missed(measure), reason: 'ObjectivesMissed', since: measure.time };
}

const notYet: ReadonlySet<string> = new Set(['NotVerifiedYet', 'Verifying']);

/** A drill proves what no verification has come to yet; one that could not be done leaves a doubt. */
function* doubt(
  { reason, message: words, lastTransitionTime: since }: Condition,
  proof: Proof | undefined,
): Iterable<Finding> {
  if (!notYet.has(reason)) yield { level: 'unknown', words, reason, since };
  else if (proof === undefined) yield { level: 'unproven', words, reason, since };
}

/** As the alert TidemarkVerificationOverdue has it. */
function* overdue({ spec, status }: BackupPolicy, now: Date): Iterable<Finding> {
  const { last = [], since } = status?.verification ?? {};
  if (spec.verification === undefined || spec.suspend) return;
  const interval = longestInterval([spec.verification], now);
  const good = last.flatMap(({ outcome, time }) => (outcome === 'Good' && time !== undefined ? [time] : []));
  const from = good.toSorted().at(-1) ?? since;
  if (interval === undefined || from === undefined) return;
  const age = (now.getTime() - Date.parse(from)) / 1000;
  if (age > 1.1 * interval + 86_400)
    yield {
      level: 'attention',
      words: `No backup was found good for ${duration(age)}, though one is verified every ${duration(interval)}.`,
      reason: 'VerificationOverdue',
      since: from,
    };
}

function missed({ name, rtoSeconds, rpoSeconds }: Drill): string {
  const took = rtoSeconds === undefined ? 'an unknown time' : duration(rtoSeconds);
  const lost = rpoSeconds === undefined ? 'an unknown time' : duration(rpoSeconds);
  return `The drill ${name} missed its objectives: it took ${took}, and would have lost ${lost} of data.`;
}

function newestDrill(drills: readonly Drill[]): Drill | undefined {
  return drills.toSorted((one, other) => other.time.localeCompare(one.time))[0];
}
