import { z } from 'zod';
import { agentReport } from './report.ts';
import { duration, integer, list, text, time, timeZone, wideInteger } from './schema.ts';

const count = integer(0, 100_000);
export const retention = z.object({
  recoveryWindow: duration.optional(),
  keepLast: count.optional(),
  keepDaily: count.optional(),
  keepWeekly: count.optional(),
  keepMonthly: count.optional(),
  keepYearly: count.optional(),
  minBackups: count.default(2),
  timeZone: timeZone.optional(),
  dryRun: z.boolean().default(false),
});

const stored = {
  repository: text(253).optional(),
  systemIdentifier: wideInteger.optional(),
  backupID: text(64).optional(),
  bytes: wideInteger.optional(),
};
const planEntry = z.object({
  run: text(253),
  action: text(32),
  dueTime: time.optional(),
  reason: text(1024).optional(),
  method: text(16).optional(),
  /** Of an increment. */
  type: text(16).optional(),
  parentBackupID: text(64).optional(),
  ...stored,
});
/** WAL of one timeline that no backup needs: everything before a segment, or, without one, all of it. */
const prunedWal = z.object({
  repository: text(253),
  systemIdentifier: wideInteger,
  timeline: integer(1, 4_294_967_295),
  before: text(24).optional(),
  segments: integer(0, Number.MAX_SAFE_INTEGER),
  bytes: wideInteger,
  dueTime: time.optional(),
  reason: text(1024).optional(),
});
const counted = z.object({
  name: text(253),
  backups: integer(0, Number.MAX_SAFE_INTEGER),
  keep: integer(0, Number.MAX_SAFE_INTEGER),
  delete: integer(0, Number.MAX_SAFE_INTEGER),
  deleteBytes: wideInteger,
  walSegments: integer(0, Number.MAX_SAFE_INTEGER),
  walBytes: wideInteger,
});

/** What the agent has planned and done; it owns all of this, and the operator judges it. */
export const retentionStatus = z.object({
  /** Those that go, the next first, then the newest of those that stay; both in bounded number. */
  plan: list(planEntry, 256).optional(),
  wal: list(prunedWal, 64).optional(),
  repositories: list(counted, 4).optional(),
  /** The last ones, the newest first. */
  deleted: list(z.object({ run: text(253), time, reason: text(1024).optional(), ...stored }), 256).optional(),
  /** By the last Job that pruned any. */
  pruned: z.object({ time, segments: integer(0, Number.MAX_SAFE_INTEGER), bytes: wideInteger }).optional(),
  plannedTime: time.optional(),
  nextDueTime: time.optional(),
  /** The policy's generation that was planned for. */
  generation: integer(-1, Number.MAX_SAFE_INTEGER).optional(),
  dryRun: z.boolean().optional(),
  jobName: text(253).optional(),
  report: agentReport.optional(),
});

export type Retention = z.output<typeof retention>;
export type RetentionStatus = z.output<typeof retentionStatus>;
