import { z } from 'zod';
import { conditions } from './condition.ts';
import { hooks } from './hooks.ts';
import { jobTemplate } from './job-template.ts';
import { logical } from './logical.ts';
import { source } from './postgres-server.ts';
import { retention, retentionStatus } from './retention.ts';
import {
  argument,
  formed,
  identifier,
  imageReference,
  integer,
  list,
  listMap,
  localRef,
  ruled,
  text,
  time,
  timeZone,
  transferRate,
  wideInteger,
} from './schema.ts';
import { drills, verificationStatus } from './verification.ts';

/** A step follows * or a range: CronJobs would take 5/15 for 5-59/15, and others for something else. */
const number = (range: string) => `((\\*|(${range})-(${range}))(/[1-9][0-9]?)?|(${range}))`;
const field = (range: string) => `${number(range)}(,${number(range)})*`;
const months =
  '0?[1-9]|1[0-2]|[Jj][Aa][Nn]|[Ff][Ee][Bb]|[Mm][Aa][Rr]|[Aa][Pp][Rr]|[Mm][Aa][Yy]|[Jj][Uu][Nn]|[Jj][Uu][Ll]|[Aa][Uu][Gg]|[Ss][Ee][Pp]|[Oo][Cc][Tt]|[Nn][Oo][Vv]|[Dd][Ee][Cc]';
const weekdays = '[0-6]|[Ss][Uu][Nn]|[Mm][Oo][Nn]|[Tt][Uu][Ee]|[Ww][Ee][Dd]|[Tt][Hh][Uu]|[Ff][Rr][Ii]|[Ss][Aa][Tt]';
const fiveFields = [
  field('[0-5]?[0-9]'),
  field('[01]?[0-9]|2[0-3]'),
  field('0?[1-9]|[12][0-9]|3[01]'),
  field(months),
  field(weekdays),
];

export const cron = formed(
  `^${fiveFields.join(' +')}$`,
  128,
  'must be five cron fields: minute hour day-of-month month day-of-week, such as 15 3 * * 1-5 (a sixth one for seconds is not taken)',
);

const method = z.enum(['Physical', 'Logical']);
const backupType = z.enum(['Full', 'Differential', 'Incremental']);

const schedule = ruled(
  z.object({
    name: formed('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', 40, 'must be a lower-case label of at most 40 characters'),
    cron,
    timeZone: timeZone.default('Etc/UTC'),
    method,
    type: backupType.default('Full'),
  }),
  {
    cel: "self.method == 'Physical' || self.type == 'Full'",
    message: 'a Logical backup is always Full; Differential and Incremental need method: Physical',
    holds: ({ method, type }) => method === 'Physical' || type === 'Full',
  },
);

const levels = { zstd: 19, gzip: 9, lz4: 12, none: 0 } as const;
/** How bytes are packed before they are stored. The level's bounds are those of the tool. */
export const compression = ruled(
  z.object({ algorithm: z.enum(['zstd', 'gzip', 'lz4', 'none']).default('zstd'), level: integer(1, 19).optional() }),
  {
    cel: "!has(self.level) || self.level <= {'zstd': 19, 'gzip': 9, 'lz4': 12, 'none': 0}[self.algorithm]",
    message: 'level goes up to 19 for zstd, 9 for gzip, 12 for lz4, and does not go with none',
    holds: ({ algorithm, level }) => level === undefined || level <= levels[algorithm],
  },
);

export const physical = z.object({
  checkpoint: z.enum(['Fast', 'Spread']).default('Fast'),
  maxRate: transferRate.optional(),
  walMethod: z.enum(['Archive', 'Fetch', 'Stream']).default('Archive'),
  compress: z.enum(['Client', 'Server']).default('Client'),
  allowFaultyIncrementals: z.boolean().default(false),
});

export const walArchiving = z.object({
  mode: z.enum(['Archive', 'Stream', 'None']).default('None'),
  archiveTimeoutSeconds: integer(0, 86_400).default(60),
  maxParallel: integer(1, 64).default(8),
  minRepositories: integer(1, 4).optional(),
  compression: compression.prefault({ level: 1 }),
  heartbeat: z.object({ intervalSeconds: integer(1, 3600).default(10) }).optional(),
});

export const assertion = z.object({ database: identifier, query: argument(4096, 1), expect: text(4096) });

const verification = z.object({
  cron,
  timeZone: timeZone.default('Etc/UTC'),
  target: z.enum(['Latest', 'RandomPoint']).default('Latest'),
  checks: z
    .object({
      verifyBackup: z.boolean().default(true),
      dataChecksums: z.boolean().default(true),
      amcheck: z.boolean().default(true),
      dump: z.boolean().default(true),
    })
    .prefault({}),
  assertions: list(assertion, 16).default([]),
  image: imageReference.optional(),
});

export const backupPolicySpec = ruled(
  z.object({
    source,
    repositoryRefs: listMap(localRef, 'name', 4, 1),
    schedules: listMap(schedule, 'name', 32).default([]),
    suspend: z.boolean().default(false),
    logical: logical.prefault({}),
    physical: physical.prefault({}),
    walArchiving: walArchiving.prefault({}),
    compression: compression.prefault({}),
    retention: retention.optional(),
    verification: verification.optional(),
    hooks: hooks.optional(),
    jobTemplate: jobTemplate.prefault({}),
    historyLimits: z
      .object({ succeeded: integer(1, 10_000).default(50), failed: integer(1, 10_000).default(20) })
      .prefault({}),
  }),
  {
    cel: "self.walArchiving.mode != 'Archive' || has(self.source.workloadRef)",
    message: 'walArchiving.mode: Archive sets the pods of workloadRef up; for a host use mode: Stream',
    holds: ({ source, walArchiving }) => walArchiving.mode !== 'Archive' || source.workloadRef !== undefined,
  },
  {
    cel: "!has(self.walArchiving.heartbeat) || self.walArchiving.mode != 'None'",
    message: 'walArchiving.heartbeat is written into WAL that is archived, so it needs mode Archive or Stream',
    holds: ({ walArchiving }) => walArchiving.heartbeat === undefined || walArchiving.mode !== 'None',
  },
  {
    cel: '!has(self.walArchiving.minRepositories) || self.walArchiving.minRepositories <= size(self.repositoryRefs)',
    message: 'walArchiving.minRepositories cannot be more than there are in repositoryRefs',
    holds: ({ repositoryRefs, walArchiving }) => (walArchiving.minRepositories ?? 1) <= repositoryRefs.length,
  },
  {
    cel: "self.physical.walMethod != 'Archive' || self.walArchiving.mode != 'None' || !self.schedules.exists(schedule, schedule.method == 'Physical')",
    message:
      'a Physical schedule with physical.walMethod: Archive needs walArchiving.mode Archive or Stream; without an archive choose walMethod Fetch or Stream',
    holds: ({ physical, walArchiving, schedules }) =>
      physical.walMethod !== 'Archive' ||
      walArchiving.mode !== 'None' ||
      !schedules.some(({ method }) => method === 'Physical'),
  },
  {
    cel: '!has(self.hooks) || has(self.source.workloadRef) || !(self.hooks.preBackup.exists(hook, has(hook.exec)) || self.hooks.postBackup.exists(hook, has(hook.exec)))',
    message: 'an exec hook runs in a pod of source.workloadRef; for a host use an http hook',
    holds: ({ hooks, source }) =>
      source.workloadRef !== undefined ||
      ![...(hooks?.preBackup ?? []), ...(hooks?.postBackup ?? [])].some(({ exec }) => exec !== undefined),
  },
);

export const serverFacts = z.object({
  version: text(64).optional(),
  systemIdentifier: wideInteger.optional(),
  timeline: integer(1, 4_294_967_295).optional(),
  role: z.enum(['Primary', 'Standby']).optional(),
});

const runSummary = z.object({
  name: text(253).optional(),
  completionTime: time.optional(),
  reason: text(128).optional(),
});
const segmentName = text(24);
const gap = z.object({
  timeline: integer(1, 4_294_967_295),
  fromWal: segmentName,
  toWal: segmentName,
  fromTime: time.optional(),
  toTime: time.optional(),
});

/** What an archive's watcher found out; it owns all of this, and the operator judges it. */
export const walStatus = z.object({
  systemIdentifier: wideInteger.optional(),
  timeline: integer(1, 4_294_967_295).optional(),
  /** Bytes. */
  segmentSize: integer(1, 2_147_483_647).optional(),
  lastArchivedSegment: segmentName.optional(),
  lastArchivedTime: time.optional(),
  /** The last commit that the archive holds without a gap before it: recovery can reach this and nothing later. */
  lastCommitTime: time.optional(),
  /** From the server's position to the end of the last archived segment. */
  lagBytes: wideInteger.optional(),
  lagSeconds: integer(0, 2_147_483_647).optional(),
  pendingSegments: integer(0, 2_147_483_647).optional(),
  gaps: list(gap, 64).optional(),
  /** Whether the server archives into this policy's repository as it runs now. */
  setting: z
    .object({
      state: z.enum(['Set', 'RestartNeeded', 'Removed', 'Refused']),
      reason: text(128).optional(),
      message: text(1024).optional(),
      /** Of which server it was seen, and when, by a look that saw the archive as well. */
      systemIdentifier: wideInteger.optional(),
      time: time.optional(),
    })
    .optional(),
  slot: z
    .object({
      name: text(63).optional(),
      restartLSN: text(17).optional(),
      /** pg_replication_slots.wal_status: reserved, extended, unreserved or lost. */
      walStatus: text(16).optional(),
      /** Bytes that may still be written before the slot is lost. */
      safeBytes: wideInteger.optional(),
    })
    .optional(),
  /** Of a policy that asks for heartbeats: when the last one was written, and what keeps the next. */
  heartbeat: z
    .object({ time: time.optional(), reason: text(128).optional(), message: text(1024).optional() })
    .optional(),
  /** What the watcher met last, and when it looked. */
  report: z
    .object({
      reason: text(128),
      message: text(1024),
      time,
      healthy: z.boolean(),
      /** It does not pass by itself. */
      stalled: z.boolean().optional(),
    })
    .optional(),
});

export const backupPolicyStatus = z.object({
  observedGeneration: integer(-1, Number.MAX_SAFE_INTEGER).optional(),
  conditions: conditions.optional(),
  server: serverFacts.optional(),
  nextScheduleTime: time.optional(),
  lastSuccessfulRun: runSummary.optional(),
  lastFailedRun: runSummary.optional(),
  restorable: z
    .object({ earliestTime: time.optional(), latestTime: time.optional(), gaps: list(gap, 64).optional() })
    .optional(),
  wal: walStatus.optional(),
  retention: retentionStatus.optional(),
  verification: verificationStatus.optional(),
  drills: drills.optional(),
});

export type Schedule = z.output<typeof schedule>;
export type Compression = z.output<typeof compression>;
export type Assertion = z.output<typeof assertion>;
export type ServerFacts = z.output<typeof serverFacts>;
export type WalStatus = z.output<typeof walStatus>;
export type WalGap = z.output<typeof gap>;
export type Physical = z.output<typeof physical>;
export type BackupPolicySpec = z.output<typeof backupPolicySpec>;
export type BackupPolicyStatus = z.output<typeof backupPolicyStatus>;
