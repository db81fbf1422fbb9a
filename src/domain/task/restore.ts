import { z } from 'zod';
import { assertion } from '../../api/backup-policy.ts';
import { checks } from '../../api/checks.ts';
import { backupID, restoreRequestSpec } from '../../api/restore-request.ts';
import { owner, repository, server, verdict } from './parts.ts';

export const restore = z.object({
  action: z.literal('restore'),
  namespace: z.string(),
  request: owner,
  repository,
  /** Those that have the same backup, read where the first cannot be. */
  others: z.array(repository).optional(),
  /** Where to look. Known from a BackupRun, or, in a bare cluster, only the ID: then the agent searches for it. */
  backup: z.object({
    backupID,
    path: z.string().optional(),
    /** Of the manifest, as the BackupRun has it: who may write to the repository cannot put another backup in its place. */
    checksum: z.string().optional(),
    /** Of the manifests of the others, where they are encrypted otherwise. */
    otherChecksums: z.array(z.string()).optional(),
  }),
  server,
  restore: z.object({
    databases: restoreRequestSpec.shape.databases,
    globals: restoreRequestSpec.shape.globals,
    jobs: restoreRequestSpec.shape.jobs,
    noOwner: restoreRequestSpec.shape.noOwner,
    noPrivileges: restoreRequestSpec.shape.noPrivileges,
    role: restoreRequestSpec.shape.role,
    exitOnError: restoreRequestSpec.shape.exitOnError,
    assertions: z.array(assertion),
    dryRun: restoreRequestSpec.shape.dryRun,
  }),
  /** Into an empty server beside the agent in the same pod, made for this; then `server` says nothing. */
  ephemeral: z.object({ dataDirectory: z.string(), checks: checks.optional() }).optional(),
  verdict: verdict.optional(),
});
