import { z } from 'zod';
import { serverFacts } from './backup-policy.ts';
import { conditions } from './condition.ts';
import { hooksStatus } from './hooks.ts';
import { agentReport, progress } from './report.ts';
import {
  identifier,
  integer,
  list,
  listMap,
  localRef,
  ruled,
  text,
  time,
  transitionRules,
  wideInteger,
} from './schema.ts';

export const backupRunSpec = transitionRules(
  ruled(
    z.object({
      policyRef: localRef,
      method: z.enum(['Physical', 'Logical']),
      type: z.enum(['Full', 'Differential', 'Incremental']).default('Full'),
      hold: z.boolean().default(false),
      cancel: z.boolean().default(false),
      deletionPolicy: z.enum(['Retain', 'Delete']).default('Retain'),
    }),
    {
      cel: "self.method == 'Physical' || self.type == 'Full'",
      message: 'a Logical backup is always Full; Differential and Incremental need method: Physical',
      holds: ({ method, type }) => method === 'Physical' || type === 'Full',
    },
  ),
  {
    cel: 'self.policyRef == oldSelf.policyRef && self.method == oldSelf.method && self.type == oldSelf.type && self.deletionPolicy == oldSelf.deletionPolicy',
    message:
      'a BackupRun says what was done, so only hold and cancel may change; for another backup create another BackupRun',
  },
  { cel: '!oldSelf.cancel || self.cancel', message: 'a cancelled run stays cancelled; create another BackupRun' },
);

export const phase = z.enum(['Pending', 'Running', 'Completed', 'Failed', 'Cancelled', 'Expired']);

const storedIn = z.object({
  name: text(253, 1),
  /** Removed: retention has deleted it there, or it is lost. */
  state: z.enum(['Stored', 'Failed', 'Pending', 'Removed']),
  /** Where the backup lies under the repository's prefix. */
  path: text(1024).optional(),
  /** Of the manifest there: where repositories are encrypted for others, the manifests of one backup differ. */
  checksum: text(80).optional(),
  /** Why it is not stored there, in one word, or how it came there later. */
  reason: text(128).optional(),
  message: text(1024).optional(),
  /** The repository itself says that the backup is held, so that a hold outlives the cluster. */
  held: z.boolean().optional(),
  /** With Removed: nobody here has deleted it. */
  lost: z.boolean().optional(),
});

const databaseFacts = z.object({
  name: identifier,
  bytes: wideInteger.optional(),
  storedBytes: wideInteger.optional(),
  encoding: text(64).optional(),
  /**
   * Failed: it is not in the backup, and the run failed; `message` says why. Those that are Stored stay usable. Dropped: it
   * is not in the backup, since somebody dropped it meanwhile and the policy does not name it.
   */
  state: z.enum(['Pending', 'Stored', 'Failed', 'Dropped']).optional(),
  message: text(1024).optional(),
});

const lsn = text(17);

export const backupRunStatus = z.object({
  observedGeneration: integer(-1, Number.MAX_SAFE_INTEGER).optional(),
  phase: phase.optional(),
  conditions: conditions.optional(),
  backupID: text(64).optional(),
  jobName: text(253).optional(),
  startTime: time.optional(),
  completionTime: time.optional(),
  progress: progress.optional(),
  size: z
    .object({ source: wideInteger.optional(), stored: wideInteger.optional(), compressionRatio: text(16).optional() })
    .optional(),
  server: serverFacts.optional(),
  wal: z
    .object({
      beginLSN: lsn.optional(),
      endLSN: lsn.optional(),
      beginSegment: text(24).optional(),
      endSegment: text(24).optional(),
    })
    .optional(),
  /** Of the backup that was made: Full also where an increment was asked for and could not be; forcedFull says why. */
  type: z.enum(['Full', 'Differential', 'Incremental']).optional(),
  forcedFull: z.object({ reason: text(128), message: text(1024) }).optional(),
  parentBackupID: text(64).optional(),
  /** Of an increment: the full backup that its chain begins with, and how many backups a restore combines. */
  chain: z.object({ fullBackupID: text(64), length: integer(1, 100_000) }).optional(),
  checksum: text(80).optional(),
  repositories: listMap(storedIn, 'name', 4).optional(),
  /** Of a backup that not every repository has: how copying it there goes. */
  catchUp: z
    .object({
      /** The one that is copied to. */
      repository: text(253).optional(),
      /** Those that failed. */
      attempts: integer(0, 1000).optional(),
      lastTime: time.optional(),
      message: text(1024).optional(),
    })
    .optional(),
  databases: list(databaseFacts, 1024).optional(),
  /** Of pg_dumpall's roles and tablespaces. withPasswords is false where the role may not read pg_authid. */
  globals: z.object({ storedBytes: wideInteger.optional(), withPasswords: z.boolean().optional() }).optional(),
  /** When it was last found good; that it was found bad is the condition Verified alone. */
  verified: z
    .object({
      time: time.optional(),
      restoreSeconds: integer(0, 2_147_483_647).optional(),
      /** The PitrRecovery or RestoreRequest that found it out. */
      by: text(253).optional(),
    })
    .optional(),
  /** What the hooks of the policy did. */
  hooks: hooksStatus.optional(),
  report: agentReport.optional(),
  error: text(4096).optional(),
});

export type BackupRunSpec = z.output<typeof backupRunSpec>;
export type BackupRunStatus = z.output<typeof backupRunStatus>;
export type Phase = z.output<typeof phase>;
