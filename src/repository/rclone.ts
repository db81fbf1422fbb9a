import type { Timings } from './attempts.ts';
import { deleteEach } from './delete-each.ts';
import { connectRclone, type RcloneSettings } from './rclone-connection.ts';
import { deleteRemote, pruneFolders } from './rclone-delete.ts';
import { listRemote, listRemoteFolders, listTemporaries } from './rclone-list.ts';
import { keyOf } from './rclone-path.ts';
import { downloadRemote, getRemote, headRemote } from './rclone-read.ts';
import { putRemote, uploadRemote } from './rclone-write.ts';
import type { Store } from './store.ts';

/** Whatever rclone reaches: SFTP, WebDAV, B2, Swift, … */
export function rcloneStore(settings: RcloneSettings, timings?: Timings): Store {
  const rclone = connectRclone(settings, timings);
  return {
    description: `the rclone remote ${settings.remote}`,
    put: (key, body, options) => putRemote(rclone, key, body, options),
    upload: (key, body, options) => uploadRemote(rclone, key, body, options),
    download: (key, options) => downloadRemote(rclone, key, options),
    get: (key, { signal }) => getRemote(rclone, key, signal),
    head: async (key, { signal }) => headRemote(rclone, keyOf(key), signal),
    list: (prefix, { signal }) => listRemote(rclone, prefix, signal),
    listFolders: (prefix, { signal }) => listRemoteFolders(rclone, prefix, signal),
    async delete(keys, { signal }) {
      await deleteEach(keys, (key) => deleteRemote(rclone, keyOf(key), signal));
      await pruneFolders(rclone, keys, signal);
    },
    async sweepUnfinished(prefix, before, { signal }) {
      const old: string[] = [];
      for await (const { key, lastModified } of listTemporaries(rclone, prefix, signal))
        if (lastModified < before) old.push(key);
      await deleteEach(old, (key) => deleteRemote(rclone, key, signal));
      await pruneFolders(rclone, old, signal);
      return old.length;
    },
    // Looked at before, and by most remotes at the rename too; but no remote promises it.
    refusesSecondPut: async () => false,
    close: rclone.close,
  };
}
