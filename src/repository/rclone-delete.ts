import { Failure } from '../domain/failure.ts';
import type { RcloneConnection } from './rclone-connection.ts';
import { parentOf } from './rclone-path.ts';

/** A missing one is fine. */
export async function deleteRemote(rclone: RcloneConnection, key: string, signal: AbortSignal): Promise<void> {
  try {
    await rclone.run({ operation: 'delete', key, signal }, (send) =>
      send.command('operations/deletefile', { fs: rclone.settings.remote, remote: key }),
    );
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'NoSuchObject') throw error;
  }
}

/** Removes the folders of these keys that have become empty: a folder without files is no backup. */
export async function pruneFolders(
  rclone: RcloneConnection,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const full = new Set<string>();
  for (const parent of new Set(keys.map(parentOf))) {
    for (let folder = parent; folder !== '' && !full.has(folder); folder = parentOf(folder)) {
      if (await removeFolder(rclone, folder, signal)) continue;
      full.add(folder);
    }
  }
}

/** rclone removes an empty folder only. One that stays is no fault: the remote may know no folders. */
async function removeFolder(rclone: RcloneConnection, folder: string, signal: AbortSignal): Promise<boolean> {
  return rclone
    .runOnce({ operation: 'remove the folder', key: folder, signal }, (send) =>
      send.command('operations/rmdir', { fs: rclone.settings.remote, remote: folder }),
    )
    .then(
      () => true,
      () => false,
    );
}
