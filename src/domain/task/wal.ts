import { z } from 'zod';
import { compression, walArchiving } from '../../api/backup-policy.ts';
import { owner, repository, server } from './parts.ts';

/**
 * The sidecar of a target's pod: archives what archive_command puts into the spool. It runs under the pod's own account,
 * so it reports nothing to the API server: what it knows stands in the repository, and its refusals beside the spool.
 */
export const archive = z.object({
  action: z.literal('archive'),
  namespace: z.string(),
  policy: owner,
  repositories: z.array(repository).min(1),
  /** Where it is known: WAL of any other server is refused. */
  systemIdentifier: z.string().optional(),
  maxParallel: walArchiving.shape.maxParallel,
  minRepositories: walArchiving.shape.minRepositories,
  compression,
});

/** A Deployment's pod for each policy that archives: sets the server up, receives WAL (Stream), and watches the archive. */
export const watchWal = z.object({
  action: z.literal('watch-wal'),
  namespace: z.string(),
  policy: owner,
  /** None: take back what was set. */
  mode: walArchiving.shape.mode,
  server,
  repositories: z.array(repository).min(1),
  systemIdentifier: z.string().optional(),
  archiveTimeoutSeconds: walArchiving.shape.archiveTimeoutSeconds,
  maxParallel: walArchiving.shape.maxParallel,
  minRepositories: walArchiving.shape.minRepositories,
  compression,
  /** Archive: increments are asked for, which need summarize_wal. */
  summarizeWal: z.boolean().optional(),
  /** Every how many seconds a heartbeat is written; absent: none. */
  heartbeatSeconds: z.int().positive().optional(),
  /** Stream: the physical replication slot. */
  slot: z.string(),
});
