import type { LogicalManifest } from '../../domain/manifest.ts';
import type { RestoreTask } from '../../domain/task.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import { withConnection } from '../../postgres/query.ts';
import type { ActionContext } from '../action.ts';
import type { Folders } from '../backup/run-backup.ts';
import type { Patience } from '../while-answering.ts';
import type { BackupFolder } from './fetch-object.ts';
import { readTargetServer, type TargetServer } from './target-server.ts';

export interface RestoreContext extends ActionContext<RestoreTask> {
  readonly folders?: Folders;
  /** How long the target server may say nothing; tests have less of it. */
  readonly serverPatience?: Patience;
}

/** What the stages of a restore share. */
export interface Work {
  readonly context: RestoreContext;
  readonly from: BackupFolder;
  readonly manifest: LogicalManifest;
  readonly target: Target;
  readonly temporary: string;
  readonly scratch: string;
  readonly mountRoot: string;
}

export interface Target {
  readonly chosen: ChosenServer;
  readonly server: TargetServer;
}

export function readServer(
  { access }: ChosenServer,
  { server }: RestoreTask,
  signal: AbortSignal,
): Promise<TargetServer> {
  return withConnection(access, server.database, signal, readTargetServer);
}
