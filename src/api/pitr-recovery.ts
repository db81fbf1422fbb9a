import { z } from 'zod';
import { assertion } from './backup-policy.ts';
import { conditions } from './condition.ts';
import { hostNamePattern, restoreServer } from './postgres-server.ts';
import { agentReport } from './report.ts';
import { backupIDOrNone, inPlace, newInstance } from './restore-request.ts';
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
  presence,
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
    repository: z
      .object({
        repositoryRef: localRef,
        policy: objectName,
        namespace: labelName,
        systemIdentifier: wideInteger.optional(),
      })
      .optional(),
  }),
  exactlyOne('policyRef', 'repository'),
);

const recoveryTarget = ruled(
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
const standbyOf = ruled(
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
    ephemeral: presence.optional(),
  }),
  exactlyOne('instance', 'inPlace', 'ephemeral'),
);

const extracted = z.object({
  name: identifier,
  tables: z.object({ include: list(pattern, 256).default([]), exclude: list(pattern, 256).default([]) }).prefault({}),
  targetName: identifier.optional(),
  create: z.boolean().default(true),
});

const fixed = ['source', 'recoveryTarget', 'target', 'assertions', 'dryRun'];
const fixedOptional = ['extract', 'objectives'];

export const pitrRecoverySpec = transitionRules(
  ruled(
    z.object({
      source,
      recoveryTarget: recoveryTarget.prefault({}),
      target,
      extract: z.object({ databases: list(extracted, 64, 1), into: restoreServer }).optional(),
      assertions: list(assertion, 16).default([]),
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

export const pitrRecoveryStatus = z.object({
  observedGeneration: integer(-1, Number.MAX_SAFE_INTEGER).optional(),
  phase: z
    .enum(['Pending', 'Preparing', 'RestoringBase', 'ReplayingWal', 'Checking', 'Completed', 'Failed', 'Cancelled'])
    .optional(),
  conditions: conditions.optional(),
  plan: z
    .object({
      backupID: text(64).optional(),
      timeline: integer(1, 4_294_967_295).optional(),
      targetTime: time.optional(),
      firstSegment: segmentName.optional(),
      lastSegment: segmentName.optional(),
      walBytes: wideInteger.optional(),
    })
    .optional(),
  progress: z
    .object({ replayedLSN: text(17).optional(), replayedTime: time.optional(), percent: integer(0, 100).optional() })
    .optional(),
  reached: z
    .object({ lsn: text(17).optional(), time: time.optional(), timeline: integer(1, 4_294_967_295).optional() })
    .optional(),
  measured: z.object({ rtoSeconds: seconds.optional(), rpoSeconds: seconds.optional() }).optional(),
  endpoint: z.object({ service: text(253).optional(), port: integer(1, 65535).optional() }).optional(),
  report: agentReport.optional(),
  error: text(4096).optional(),
});

export type PitrRecoverySpec = z.output<typeof pitrRecoverySpec>;
export type PitrRecoveryStatus = z.output<typeof pitrRecoveryStatus>;
