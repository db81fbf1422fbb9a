import { z } from 'zod';
import { catalogueStatus } from '../../api/catalogue.ts';
import { backupID } from '../../api/restore-request.ts';
import { retention } from '../../api/retention.ts';
import { owner, repository } from './parts.ts';

export const probe = z.object({
  action: z.literal('probe'),
  namespace: z.string(),
  repositoryObject: owner.extend({ generation: z.int() }),
  repository,
});

/** Plans what retention deletes of one policy's backups and WAL, publishes it, and deletes what was published long enough ago. */
export const expire = z.object({
  action: z.literal('expire'),
  namespace: z.string(),
  policy: owner.extend({ generation: z.int() }),
  repositories: z.array(repository).min(1),
  retention,
  timeZones: z.object({ Logical: z.string(), Physical: z.string() }),
  /** The IDs of the backups whose BackupRuns say hold. */
  held: z.array(z.string()),
  /** Of those that failed their verification: nothing rests on them. */
  failed: z.array(z.string()).optional(),
  /** By the operator's clock. */
  issuedTime: z.string(),
});

/**
 * Copies what one repository lacks out of others, as it is stored or encrypted anew. The operator makes it for a run that
 * not every repository has; a person by hand (docs/copy-backups.md).
 */
export const copy = z.object({
  action: z.literal('copy'),
  /** Of the Job. */
  namespace: z.string(),
  /** The BackupRun that is told how it went; absent: nobody is, but the log. */
  run: owner.optional(),
  /** The first is written to; the others are read, in their order. */
  repositories: z.array(repository).min(2),
  /** Where in the repositories: all that lies under it, unless `backups` names some. */
  source: z.object({ namespace: z.string(), policy: z.string(), systemIdentifier: z.string().optional() }),
  backups: z.array(backupID).optional(),
  wal: z.boolean(),
  /** activeDeadlineSeconds of the Job. */
  deadlineSeconds: z.int().positive(),
});

/** Makes known what a repository holds: BackupRuns for its backups, and what became of those of the BackupRuns. */
export const sync = z.object({
  action: z.literal('sync-catalogue'),
  namespace: z.string(),
  repositoryObject: owner.extend({ generation: z.int() }),
  repository,
  /** As the repository has them. */
  namespaces: z.array(z.string()).min(1),
  /** How many completed runs the policies of this namespace want to see; a policy that is not here has no limit. */
  limits: z.array(z.object({ policy: z.string(), succeeded: z.int() })),
  /** Deep: every object of the backups is listed, never the WAL. Shallow: their folders alone. */
  depth: z.enum(['Deep', 'Shallow']),
  /** All: those too whose BackupRun was deleted here. */
  scope: z.enum(['New', 'All']),
  /** A person has said that a repository without any backup is as it should be. */
  mayBeEmpty: z.boolean(),
  /** The value of the annotation that asked for it. */
  requested: z.string().optional(),
  /** Of the repository's place: what is known of another one does not count. */
  place: z.string(),
  previous: catalogueStatus.optional(),
});
