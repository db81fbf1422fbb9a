import type { WatchWalTask } from '../../domain/task.ts';
import { openWalArchive, type WalArchive } from '../../repository/wal-archive.ts';
import { openRepositories } from '../backup/targets.ts';

export interface NamedArchive {
  /** The repository's. */
  readonly name: string;
  readonly archive: WalArchive;
  /** How many of the policy's archives must have what counts as archived; absent: all. The same for each of them. */
  readonly minimum?: number | undefined;
}

/** The server's WAL in each of the task's repositories. */
export async function openArchives(
  { namespace, policy, repositories, compression, minRepositories }: WatchWalTask,
  systemIdentifier: string,
  mountRoot?: string,
): Promise<readonly NamedArchive[]> {
  const opened = await openRepositories(repositories, mountRoot);
  const location = { namespace, policy: policy.name, systemIdentifier };
  return opened.map(({ name, store, encryption }) => ({
    name,
    minimum: minRepositories,
    archive: openWalArchive(store, location, { compression, encryption }),
  }));
}
