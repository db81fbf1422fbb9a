import { z } from 'zod';
import { compression, physical } from '../../api/backup-policy.ts';
import { hookPhase } from '../../api/hooks.ts';
import { logical } from '../../api/logical.ts';
import { backupID } from '../../api/restore-request.ts';
import { hookWork, owner, repository, server } from './parts.ts';

export const backup = z.object({
  action: z.literal('backup'),
  namespace: z.string(),
  policy: owner,
  schedule: z.string().optional(),
  method: z.enum(['Logical', 'Physical']),
  /** What is asked for: an increment without a parent becomes a full backup. */
  type: z.enum(['Full', 'Differential', 'Incremental']),
  server,
  repositories: z.array(repository).min(1),
  logical,
  physical,
  compression,
  /** activeDeadlineSeconds of the Job: after it, what an attempt left without a manifest may be swept. */
  deadlineSeconds: z.int(),
  hooks: hookWork.optional(),
});

/** Of a run that has ended: what its agent has not done any more of the hooks that come after it. */
export const runHooks = z.object({
  action: z.literal('hooks'),
  namespace: z.string(),
  policy: owner,
  run: owner,
  schedule: z.string().optional(),
  method: z.enum(['Logical', 'Physical']),
  type: z.enum(['Full', 'Differential', 'Incremental']),
  phase: hookPhase,
  /** Why it ended so, for who is told. */
  reason: z.string(),
  error: z.string(),
  /** By their names; the others of the list were run, or are for other ends. */
  outstanding: z.array(z.string()),
  /** To find the pod that commands run in, where none is known from before the backup. */
  server: server.optional(),
  hooks: hookWork,
});

/** Removes one stored backup: the manifest first, then the objects it names. */
export const deletion = z.object({
  action: z.literal('delete'),
  namespace: z.string(),
  run: owner,
  repositories: z.array(repository).min(1),
  backup: z.object({ backupID, path: z.string() }),
});
