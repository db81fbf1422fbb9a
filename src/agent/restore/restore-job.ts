import type { RestoreTask } from '../../domain/task.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import type { LibpqFiles, Tool } from '../../postgres/tools.ts';
import type { Compression } from '../../stream/compress.ts';
import type { AgentLog } from '../log.ts';
import type { DatabasePlan } from './plan-database.ts';
import type { RestoreProgress } from './restore-progress.ts';
import type { TargetServer } from './target-server.ts';

/** All that the restore of one database needs. */
export interface RestoreJob {
  readonly plan: DatabasePlan;
  readonly access: ServerAccess;
  readonly serverMajor: number;
  readonly server: TargetServer;
  readonly tools: { readonly restore: Tool; readonly psql: Tool };
  readonly files: LibpqFiles;
  readonly options: RestoreTask['restore'];
  /** Of the backup. */
  readonly compression: Compression;
  /** A database that is none of those restored. */
  readonly adminDatabase: string;
  /** Of this request alone, so that what an earlier attempt left under it may go. */
  readonly temporaryName: string;
  readonly progress: Pick<RestoreProgress, 'restoring' | 'finished'>;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}
