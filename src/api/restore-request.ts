import { z } from 'zod';
import { assertion } from './backup-policy.ts';
import { checkResults, checks } from './checks.ts';
import { conditions } from './condition.ts';
import { restoreServer } from './postgres-server.ts';
import { agentReport, progress } from './report.ts';
import {
  argument,
  exactlyOne,
  formed,
  identifier,
  imageReference,
  integer,
  list,
  localRef,
  objectName,
  pattern,
  quantity,
  ruled,
  secretKey,
  text,
  time,
  transitionRules,
} from './schema.ts';

const backupIDPattern = '[0-9]{8}T[0-9]{6}Z-[a-z0-9]+(-[a-z0-9]+)*';
const backupIDMessage = 'must be a backup ID such as 20261121T030000Z-logical';
export const backupID = formed(`^${backupIDPattern}$`, 64, backupIDMessage);
/** Empty: the choice is Tidemark's. */
export const backupIDOrNone = formed(`^(${backupIDPattern})?$`, 64, backupIDMessage, 0);

const source = ruled(
  z.object({
    backupRunRef: localRef.optional(),
    latest: z.object({ policyRef: localRef, method: z.enum(['Physical', 'Logical']) }).optional(),
    repository: z.object({ repositoryRef: localRef, backupID }).optional(),
  }),
  exactlyOne('backupRunRef', 'latest', 'repository'),
);

/** A new StatefulSet, Service and volume. */
export const newInstance = z.object({
  name: formed(
    '^[a-z]([-a-z0-9]*[a-z0-9])?$',
    52,
    'must be a lower-case label of at most 52 characters that starts with a letter',
  ),
  storage: z.object({ size: quantity, storageClassName: objectName.optional() }),
  image: imageReference.optional(),
});

/** A workload whose data directory is replaced; its name is said twice, because this cannot be meant by accident. */
export const inPlace = ruled(
  z.object({
    workloadRef: z.object({
      apiVersion: z.literal('apps/v1').optional(),
      kind: z.enum(['StatefulSet', 'Deployment']),
      name: objectName,
    }),
    confirm: objectName,
    keepOldData: z.boolean().default(true),
  }),
  {
    cel: 'self.confirm == self.workloadRef.name',
    message: 'confirm must repeat the name of the workload whose data is replaced',
    holds: ({ confirm, workloadRef }) => confirm === workloadRef.name,
  },
);

/** Removed in the end. */
export const ephemeral = z.object({ image: imageReference.optional() });

const target = ruled(
  z.object({
    server: restoreServer.optional(),
    instance: newInstance.optional(),
    inPlace: inPlace.optional(),
    ephemeral: ephemeral.optional(),
  }),
  exactlyOne('server', 'instance', 'inPlace', 'ephemeral'),
);

/** Extensions are made for them, and files looked at: nobody else may use that server. */
export const checksNeedEphemeral = {
  cel: '!has(self.checks) || has(self.target.ephemeral)',
  message: 'checks are made in a server that is removed afterwards, so they need target.ephemeral',
  holds: ({ checks, target }: { readonly checks?: unknown; readonly target: { readonly ephemeral?: unknown } }) =>
    checks === undefined || target.ephemeral !== undefined,
};

const namePatterns = z.object({ include: list(pattern, 256).default([]), exclude: list(pattern, 256).default([]) });

const database = ruled(
  z.object({
    name: identifier,
    targetName: identifier.optional(),
    create: z.boolean().default(true),
    onConflict: z.enum(['Fail', 'Clean', 'Replace']).default('Fail'),
    content: z.enum(['All', 'SchemaOnly', 'DataOnly']).default('All'),
    schemas: namePatterns.prefault({}),
    tables: namePatterns.prefault({}),
    sections: list(z.enum(['PreData', 'Data', 'PostData']), 3).default([]),
    listFile: z.object({ configMapRef: z.object({ name: objectName, key: secretKey }) }).optional(),
  }),
  {
    cel: "self.onConflict != 'Replace' || self.create",
    message: 'onConflict: Replace makes the database anew, so it needs create: true',
    holds: ({ create, onConflict }) => onConflict !== 'Replace' || create,
  },
  {
    cel: "self.onConflict != 'Replace' || (self.content == 'All' && size(self.schemas.include) == 0 && size(self.schemas.exclude) == 0 && size(self.tables.include) == 0 && size(self.tables.exclude) == 0)",
    message:
      'onConflict: Replace drops the whole database, so it cannot go with a choice of schemas, tables or content; use Clean',
    holds: ({ content, onConflict, schemas, tables }) =>
      onConflict !== 'Replace' ||
      (content === 'All' &&
        [schemas.include, schemas.exclude, tables.include, tables.exclude].every((names) => names.length === 0)),
  },
  {
    cel: "self.onConflict != 'Clean' || self.content != 'DataOnly'",
    message: 'onConflict: Clean drops objects, which content: DataOnly would not create again',
    holds: ({ content, onConflict }) => onConflict !== 'Clean' || content !== 'DataOnly',
  },
  {
    cel: "size(self.sections) == 0 || (self.content == 'All' && self.onConflict == 'Fail' && !has(self.listFile))",
    message: 'sections says by itself what is restored: leave content, onConflict and listFile out',
    holds: ({ sections, content, onConflict, listFile }) =>
      sections.length === 0 || (content === 'All' && onConflict === 'Fail' && listFile === undefined),
  },
);

export const restoreRequestSpec = transitionRules(
  ruled(
    z.object({
      source,
      target,
      databases: list(database, 64).default([]),
      globals: z.enum(['Skip', 'Restore']).default('Skip'),
      jobs: integer(1, 64).default(1),
      noOwner: z.boolean().default(false),
      noPrivileges: z.boolean().default(false),
      role: argument(63).default(''),
      exitOnError: z.boolean().default(true),
      assertions: list(assertion, 16).default([]),
      checks: checks.optional(),
      dryRun: z.boolean().default(false),
      cancel: z.boolean().default(false),
    }),
    {
      cel: "!has(self.source.latest) || self.source.latest.method == 'Logical' || size(self.databases) == 0",
      message: 'databases chooses from a Logical backup; a Physical one holds the whole server',
      holds: ({ databases, source }) =>
        source.latest === undefined || source.latest.method === 'Logical' || databases.length === 0,
    },
    checksNeedEphemeral,
    {
      cel: 'self.databases.all(one, self.databases.filter(other, (has(other.targetName) ? other.targetName : other.name) == (has(one.targetName) ? one.targetName : one.name)).size() == 1)',
      message: 'two entries of databases would be restored into the same database',
      holds: ({ databases }) =>
        new Set(databases.map(({ name, targetName }) => targetName ?? name)).size === databases.length,
    },
  ),
  {
    cel: [
      ...[
        'source',
        'target',
        'databases',
        'globals',
        'jobs',
        'noOwner',
        'noPrivileges',
        'role',
        'exitOnError',
        'assertions',
        'dryRun',
      ].map((field) => `self.${field} == oldSelf.${field}`),
      'has(self.checks) == has(oldSelf.checks) && (!has(self.checks) || self.checks == oldSelf.checks)',
    ].join(' && '),
    message: 'a RestoreRequest is done once, so only cancel may change; for a new try create a new RestoreRequest',
  },
  {
    cel: '!oldSelf.cancel || self.cancel',
    message: 'a cancelled restore stays cancelled; create a new RestoreRequest',
  },
);

export const assertionResults = list(
  z.object({
    database: identifier.optional(),
    query: text(4096),
    expect: text(4096),
    got: text(4096),
    passed: z.boolean(),
  }),
  16,
);

export const restoreRequestStatus = z.object({
  observedGeneration: integer(-1, Number.MAX_SAFE_INTEGER).optional(),
  phase: z.enum(['Pending', 'Running', 'Completed', 'Failed', 'Cancelled']).optional(),
  conditions: conditions.optional(),
  jobName: text(253).optional(),
  backupID: text(64).optional(),
  plan: list(z.object({ step: text(1024) }), 512).optional(),
  startTime: time.optional(),
  completionTime: time.optional(),
  progress: progress.optional(),
  restored: z
    .object({
      databases: integer(0, 2_147_483_647).optional(),
      objects: integer(0, 2_147_483_647).optional(),
      errors: integer(0, 2_147_483_647).optional(),
      /** The first of pg_restore's errors, in its own words. */
      firstErrors: list(text(2048), 10).optional(),
      /** In the target's version, and the one that the source had where the backup tells it. */
      extensions: list(
        z.object({ database: text(63), name: text(63), version: text(128), sourceVersion: text(128).optional() }),
        256,
      ).optional(),
    })
    .optional(),
  assertions: assertionResults.optional(),
  checks: checkResults.optional(),
  /** Seconds from the beginning of the Job's work until everything was restored. */
  restoreSeconds: integer(0, 2_147_483_647).optional(),
  report: agentReport.optional(),
  error: text(4096).optional(),
});

export type RestoreRequestSpec = z.output<typeof restoreRequestSpec>;
export type RestoreDatabase = z.output<typeof database>;
export type RestoreRequestStatus = z.output<typeof restoreRequestStatus>;
