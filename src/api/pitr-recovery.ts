import { z } from 'zod';
import { assertion } from './backup-policy.ts';
import { checkResults, checks, measuredParts } from './checks.ts';
import { conditions } from './condition.ts';
import { hostNamePattern, restoreServer } from './postgres-server.ts';
import { agentReport } from './report.ts';
import {
  assertionResults,
  backupIDOrNone,
  checksNeedEphemeral,
  ephemeral,
  inPlace,
  newInstance,
} from './restore-request.ts';
import {
  argument,
  atMostOne,
  exactlyOne,
  formed,
  identifier,
  integer,
  integerOrText,
  labelName,
  list,
  localRef,
  objectName,
  pattern,
  patterned,
  ruled,
  text,
  time,
  transitionRules,
  wideInteger,
} from './schema.ts';

const lsn = formed('^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$', 64, 'must be an LSN such as 0/EC000138');
const instant = formed(
  '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$',
  64,
  'must be RFC 3339 with an offset, such as 2026-11-21T10:15:00+01:00: a time without an offset is ambiguous',
);

const timeline = integerOrText(
  integer(1, 4_294_967_295),
  patterned('^(latest|current|[1-9][0-9]{0,9})$', 10, 'must be latest, current or a timeline number'),
);

const source = ruled(
  z.object({
    policyRef: localRef.optional(),
    repository: ruled(
      z.object({
        repositoryRef: localRef,
        policy: objectName.optional(),
        namespace: labelName.optional(),
        systemIdentifier: wideInteger.optional(),
      }),
      {
        cel: 'has(self.policy) == has(self.namespace)',
        message: 'policy and namespace go together: they say whose backups are meant',
        holds: ({ namespace, policy }) => (policy === undefined) === (namespace === undefined),
      },
    ).optional(),
  }),
  exactlyOne('policyRef', 'repository'),
);

export const recoveryTarget = ruled(
  z.object({
    targetTime: instant.optional(),
    targetLSN: lsn.optional(),
    targetXID: formed('^[0-9]{1,20}$', 64, 'must be a transaction ID').optional(),
    targetName: argument(63, 1).optional(),
    targetImmediate: z.literal(true).optional(),
    targetTLI: timeline.default('latest'),
    exclusive: z.boolean().default(false),
    backupID: backupIDOrNone.default(''),
  }),
  atMostOne('targetTime', 'targetLSN', 'targetXID', 'targetName', 'targetImmediate'),
  {
    cel: '!self.exclusive || has(self.targetTime) || has(self.targetLSN) || has(self.targetXID)',
    message: 'exclusive goes with targetTime, targetLSN or targetXID; the other targets have no before and after',
    holds: ({ exclusive, targetLSN, targetTime, targetXID }) =>
      !exclusive || targetTime !== undefined || targetLSN !== undefined || targetXID !== undefined,
  },
);

/** Empty is as good as absent, so that a manifest may name the fields without choosing them. */
export const standbyOf = ruled(
  z.object({
    host: formed(`^(${hostNamePattern})?$`, 253, 'must be a host name or an IP address', 0).default(''),
    credentialsSecretRef: z.object({ name: objectName.optional() }).prefault({}),
  }),
  {
    cel: "(self.host == '') == !has(self.credentialsSecretRef.name)",
    message: 'standbyOf needs host and credentialsSecretRef.name together',
    holds: ({ credentialsSecretRef, host }) => (host === '') === (credentialsSecretRef.name === undefined),
  },
);

const target = ruled(
  z.object({
    instance: newInstance.extend({ standbyOf: standbyOf.optional() }).optional(),
    inPlace: inPlace.optional(),
    ephemeral: ephemeral.optional(),
  }),
  exactlyOne('instance', 'inPlace', 'ephemeral'),
);

export const extracted = z.object({
  name: identifier,
  tables: z.object({ include: list(pattern, 256).default([]), exclude: list(pattern, 256).default([]) }).prefault({}),
  targetName: identifier.optional(),
  create: z.boolean().default(true),
});

const fixed = ['source', 'recoveryTarget', 'target', 'assertions', 'dryRun'];
const fixedOptional = ['extract', 'objectives', 'checks'];

export const pitrRecoverySpec = transitionRules(
  ruled(
    z.object({
      source,
      recoveryTarget: recoveryTarget.prefault({}),
      target,
      extract: z.object({ databases: list(extracted, 64, 1), into: restoreServer }).optional(),
      assertions: list(assertion, 16).default([]),
      checks: checks.optional(),
      objectives: z
        .object({ rtoSeconds: integer(1, 31_536_000).optional(), rpoSeconds: integer(0, 31_536_000).optional() })
        .optional(),
      dryRun: z.boolean().default(false),
      cancel: z.boolean().default(false),
    }),
    {
      cel: '!has(self.extract) || !has(self.target.inPlace)',
      message:
        'extract copies out of a server that is removed afterwards, so it needs target.ephemeral or target.instance',
      holds: ({ extract, target }) => extract === undefined || target.inPlace === undefined,
    },
    checksNeedEphemeral,
    {
      cel: "!has(self.source.repository) || has(self.source.repository.policy) || self.recoveryTarget.backupID != ''",
      message: 'source.repository needs policy and namespace, or recoveryTarget.backupID by which they are found',
      holds: ({ recoveryTarget, source: { repository } }) =>
        repository === undefined || repository.policy !== undefined || recoveryTarget.backupID !== '',
    },
  ),
  {
    cel: [
      ...fixed.map((field) => `self.${field} == oldSelf.${field}`),
      ...fixedOptional.map(
        (field) =>
          `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
      ),
    ].join(' && '),
    message: 'a PitrRecovery is done once, so only cancel may change; for a new try create a new PitrRecovery',
  },
  { cel: '!oldSelf.cancel || self.cancel', message: 'a cancelled recovery stays cancelled; create a new PitrRecovery' },
);

const segmentName = text(24);
const seconds = integer(0, 2_147_483_647);

const chainMember = z.object({ backupID: text(64), path: text(1024), checksum: text(80) });

/** Kept in the status between the Job that plans and the Job that recovers. */
export const recoveryPlan = z.object({
  backupID: text(64),
  /** The backup's folder under the repository's prefix. */
  backupPath: text(1024),
  /** Where the backup is an increment: what it stands on, the full backup first, by the digests of their manifests. */
  parents: list(chainMember, 1000).optional(),
  repository: text(253),
  namespace: text(63),
  policy: text(253),
  systemIdentifier: wideInteger,
  major: integer(13, 99),
  version: text(64),
  /** Bytes. */
  segmentSize: integer(1, 2_147_483_647),
  /** Where the base backup's own WAL begins and ends. */
  beginLSN: text(17),
  endLSN: text(17),
  beginTimeline: integer(1, 4_294_967_295),
  /** recovery_target_timeline: a number, decided once, so that a promotion meanwhile changes nothing. */
  targetTimeline: integer(1, 4_294_967_295),
  /** Where replay is expected to end, for the progress; absent where only replay itself finds out. */
  targetLSN: text(17).optional(),
  /** The end of the archive on that timeline. */
  endOfArchive: text(17),
  endOfArchiveTime: time.optional(),
  /** When the archive was listed. */
  readTime: time.optional(),
  /** Of a drill: every how many seconds the source wrote a heartbeat, where the end of its WAL has one. */
  heartbeatSeconds: integer(1, 99_999).optional(),
  /** Of the data directory, unpacked; where a chain is combined, of the backups that it is combined of besides. */
  bytes: wideInteger,
  dataDirectory: text(1024),
  uid: integer(0, 4_294_967_295),
  gid: integer(0, 4_294_967_295),
  /** Settings that replay needs at least as high. */
  settings: list(z.object({ name: text(64), value: text(256) }), 32),
});

export const pitrRecoveryStatus = z.object({
  observedGeneration: integer(-1, Number.MAX_SAFE_INTEGER).optional(),
  phase: z
    .enum(['Pending', 'Preparing', 'RestoringBase', 'ReplayingWal', 'Checking', 'Completed', 'Failed', 'Cancelled'])
    .optional(),
  conditions: conditions.optional(),
  plan: z
    .object({
      backupID: text(64).optional(),
      /** Where that is an increment: all that are combined, the full backup first. */
      chain: list(text(64), 1000).optional(),
      timeline: integer(1, 4_294_967_295).optional(),
      targetTime: time.optional(),
      firstSegment: segmentName.optional(),
      lastSegment: segmentName.optional(),
      walBytes: wideInteger.optional(),
      /** What is going to be done, for a person to read before it is. */
      steps: list(text(1024), 64).optional(),
      /** All that the recovery's Job needs to know, made by the agent that read the repository. */
      recovery: recoveryPlan.optional(),
    })
    .optional(),
  jobName: text(253).optional(),
  startTime: time.optional(),
  completionTime: time.optional(),
  /** Of a workload that was scaled down: how many it had. */
  replicas: integer(0, 2_147_483_647).optional(),
  assertions: assertionResults.optional(),
  checks: checkResults.optional(),
  extracted: z
    .object({ databases: integer(0, 64).optional(), objects: integer(0, 2_147_483_647).optional() })
    .optional(),
  progress: z
    .object({
      stage: z
        .enum(['Planning', 'RestoringBase', 'Combining', 'ReplayingWal', 'Checking', 'Extracting', 'Stopping'])
        .optional(),
      bytesDone: wideInteger.optional(),
      bytesTotal: wideInteger.optional(),
      replayedLSN: text(17).optional(),
      replayedTime: time.optional(),
      percent: integer(0, 100).optional(),
    })
    .optional(),
  reached: z
    .object({ lsn: text(17).optional(), time: time.optional(), timeline: integer(1, 4_294_967_295).optional() })
    .optional(),
  measured: z
    .object({
      rtoSeconds: seconds.optional(),
      rpoSeconds: seconds.optional(),
      /** Where rpoSeconds was measured by the source's heartbeats: every how many seconds there was one. */
      heartbeatSeconds: integer(1, 99_999).optional(),
      parts: measuredParts.optional(),
    })
    .optional(),
  endpoint: z.object({ service: text(253).optional(), port: integer(1, 65535).optional() }).optional(),
  report: agentReport.optional(),
  error: text(4096).optional(),
});

export type RecoveryPlan = z.output<typeof recoveryPlan>;
export type RecoveryTarget = z.output<typeof recoveryTarget>;
export type Extract = NonNullable<PitrRecoverySpec['extract']>;
export type PitrRecoverySpec = z.output<typeof pitrRecoverySpec>;
export type PitrRecoveryStatus = z.output<typeof pitrRecoveryStatus>;
