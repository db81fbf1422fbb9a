import { z } from 'zod';
import { integer, list, text } from './schema.ts';

/** What a recovered server is asked beside assertions. */
export const checks = z.object({
  verifyBackup: z.boolean().default(false),
  dataChecksums: z.boolean().default(false),
  amcheck: z.boolean().default(false),
  dump: z.boolean().default(false),
});

const seconds = integer(0, 2_147_483_647);

export const checkResults = list(
  z.object({
    name: z.enum(['VerifyBackup', 'Restore', 'Amcheck', 'Dump', 'Assertions', 'DataChecksums']),
    /** Skipped: it could not be asked, as `message` says; that proves nothing. */
    outcome: z.enum(['Passed', 'Failed', 'Skipped']),
    seconds,
    message: text(2048),
  }),
  16,
);

/** Where the seconds of a recovery went. */
export const measuredParts = z.object({
  /** From the object's creation to the plan. */
  planning: seconds.optional(),
  base: seconds.optional(),
  replay: seconds.optional(),
  checks: seconds.optional(),
});

export type Checks = z.output<typeof checks>;
export type CheckResult = z.output<typeof checkResults>[number];
export type CheckName = CheckResult['name'];
