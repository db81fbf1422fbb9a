import { z } from 'zod';
import { integer, list, listMap, text, time } from './schema.ts';

const seconds = integer(0, 2_147_483_647);

/** Good: the backup is. Bad: it is not. Unknown: something else went wrong, which says nothing of the backup. */
const verdict = z.enum(['Good', 'Bad', 'Unknown']);

const verification = z.object({
  method: z.enum(['Physical', 'Logical']),
  /** The PitrRecovery (Physical) or RestoreRequest (Logical) that did it. */
  name: text(253),
  scheduledTime: time,
  /** It was made then. */
  startTime: time,
  /** It has ended. */
  time: time.optional(),
  outcome: verdict.optional(),
  reason: text(128).optional(),
  message: text(2048).optional(),
  backupID: text(64).optional(),
  run: text(253).optional(),
  restoreSeconds: seconds.optional(),
});

export const verificationStatus = z.object({
  /** The cron and time zone that `since` is of. */
  schedule: text(256).optional(),
  /** No time before this one counts as missed. */
  since: time.optional(),
  nextTime: time.optional(),
  /** When the newest ended, whatever came of it. */
  lastTime: time.optional(),
  /** The newest of each method. */
  last: listMap(verification, 'method', 2).optional(),
});

export const drills = list(
  z.object({
    name: text(253),
    time,
    outcome: z.enum(['Completed', 'Failed']),
    reason: text(128).optional(),
    backupID: text(64).optional(),
    rtoSeconds: seconds.optional(),
    rpoSeconds: seconds.optional(),
    /** Absent where there were none. */
    objectivesMet: z.boolean().optional(),
  }),
  20,
);

export type VerificationStatus = z.output<typeof verificationStatus>;
export type LastVerification = z.output<typeof verification>;
export type Drill = z.output<typeof drills>[number];
