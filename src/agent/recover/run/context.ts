import { mounts } from '../../../domain/mounts.ts';
import type { RecoverTask } from '../../../domain/task.ts';
import type { AccessRoots } from '../../../postgres/access.ts';
import type { ActionContext } from '../../action.ts';

/** The places of a recovery's pod; others in tests. */
export interface RecoverFolders {
  /** Put before the repository's mounts. */
  readonly mountRoot: string;
  /** Shared with the server's container. */
  readonly recovery: string;
  /** username and password for standbyOf. */
  readonly standbyCredentials: string;
  /** Of the server that `extract` writes into. */
  readonly access?: AccessRoots;
  /** Paths that something is mounted at: they cannot be renamed. */
  readonly mountPoints: () => Promise<ReadonlySet<string>>;
}

/** Milliseconds. */
export interface RecoverPatience {
  /** How long a WAL file is asked for that the store does not give. */
  readonly serve: number;
  /** Until the server's container must have begun. */
  readonly start: number;
  /** For the server's clean shutdown. */
  readonly stop: number;
  /** Between two looks at the server. */
  readonly poll: number;
}

export interface RecoverContext extends ActionContext<RecoverTask> {
  readonly folders?: RecoverFolders;
  readonly patience?: Partial<RecoverPatience>;
}

export const usualPatience: RecoverPatience = { serve: 60_000, start: 300_000, stop: 600_000, poll: 1000 };

export function usualFolders(mountPoints: RecoverFolders['mountPoints']): RecoverFolders {
  return { mountRoot: '', recovery: mounts.recovery, standbyCredentials: mounts.standbyCredentials, mountPoints };
}
