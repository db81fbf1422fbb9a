import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import type { LastVerification } from '../../api/verification.ts';
import type { NewCondition } from '../../domain/conditions.ts';
import { dueRunName } from '../../domain/naming.ts';
import { minuteOf } from '../../domain/verification/due-time.ts';
import type { EventNote } from '../../kube/events.ts';
import { type DueBackup, nextTry } from '../archiving/judge.ts';

type Method = LastVerification['method'];

/** Whether the backups have been shown to be good; of each method of the policy, the newest verification counts. */
export function verified(
  methods: readonly Method[],
  last: readonly LastVerification[],
  nextTime: string | undefined,
): NewCondition {
  const says = (status: NewCondition['status'], reason: string, message: string): NewCondition => ({
    type: 'Verified',
    status,
    reason,
    message,
  });
  const known = methods.map((method) => ({ method, found: last.find((each) => each.method === method) }));
  const of = (outcome: LastVerification['outcome']) => known.find(({ found }) => found?.outcome === outcome)?.found;
  const bad = of('Bad');
  if (bad !== undefined) return says('False', bad.reason ?? 'VerificationFailed', describe(bad));
  const unknown = of('Unknown');
  if (unknown !== undefined) return says('Unknown', unknown.reason ?? 'VerificationIncomplete', describe(unknown));
  const open = known.find(({ found }) => found?.outcome === undefined);
  if (open?.found !== undefined)
    return says('Unknown', 'Verifying', `${open.found.name} is verifying a ${open.method} backup for the first time`);
  if (open !== undefined || known.length === 0)
    return says(
      'Unknown',
      'NotVerifiedYet',
      `No ${open?.method ?? ''} backup was verified yet; the next time is ${nextTime ?? 'not known'}, once there is a backup`.replace(
        '  ',
        ' ',
      ),
    );
  return says('True', 'Verified', known.map(({ found }) => (found === undefined ? '' : describe(found))).join(' '));
}

/** One sentence or two; the message of a failure says what to do. */
function describe({ method, name, outcome, backupID, message = '', restoreSeconds, time }: LastVerification): string {
  const what = `${method} backup ${backupID ?? ''}`.trim();
  if (outcome === 'Good')
    return `The ${what} was restored${restoreSeconds === undefined ? '' : ` in ${restoreSeconds} s`} and found good by ${name} at ${time}.`;
  if (outcome === 'Bad') return `The ${what} was found bad by ${name}: ${message}`;
  return `${name} could not verify the ${what}, which says nothing of it: ${message} It is tried again at the next time of the schedule.`;
}

/** For each that has ended since `before`. */
export function verificationEvents(
  before: readonly LastVerification[],
  after: readonly LastVerification[],
): readonly EventNote[] {
  return after
    .filter(
      ({ name, method, outcome }) =>
        outcome !== undefined &&
        !before.some((each) => each.name === name && each.method === method && each.outcome !== undefined),
    )
    .map((last) => ({
      type: last.outcome === 'Good' ? 'Normal' : 'Warning',
      reason: { Good: 'VerificationPassed', Bad: 'VerificationFailed', Unknown: 'VerificationIncomplete' }[
        last.outcome ?? 'Unknown'
      ],
      action: 'Verify',
      note: describe(last),
    }));
}

/** A full backup in the place of one that was found bad: once for each verification, and again where it fails. */
export function replacement(
  { metadata, spec }: Pick<BackupPolicy, 'metadata' | 'spec'>,
  last: readonly LastVerification[],
  runs: readonly BackupRun[],
  now: Date,
): (DueBackup & { readonly method: Method }) | undefined {
  if (spec.suspend || metadata.deletionTimestamp !== undefined) return undefined;
  for (const { method, outcome, time, scheduledTime, name, backupID } of last) {
    if (outcome !== 'Bad' || time === undefined) continue;
    const own = runs.filter((run) => run.spec.method === method && run.spec.type === 'Full');
    const isNewer = ({ status }: BackupRun) =>
      status?.phase === 'Completed' && status.startTime !== undefined && status.startTime >= time;
    const isOpen = ({ status }: BackupRun) => !ended.has(status?.phase ?? 'Pending');
    if (own.some((run) => isNewer(run) || isOpen(run))) continue;
    const cause = {
      name: dueRunName(metadata.name, `verify-${method.toLowerCase()}-${minuteOf(new Date(scheduledTime))}`),
      why: `${name} found the ${method} backup ${backupID ?? ''} bad`,
    };
    const due = nextTry(cause, own, now);
    if (due !== undefined) return { ...due, method };
  }
  return undefined;
}

const ended: ReadonlySet<string> = new Set(['Completed', 'Failed', 'Cancelled', 'Expired']);
