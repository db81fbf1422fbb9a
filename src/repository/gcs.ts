import type { Timings } from './attempts.ts';
import { deleteEach } from './delete-each.ts';
import { connectGcs, type GcsSettings } from './gcs-connection.ts';
import { listGcs, listGcsFolders } from './gcs-list.ts';
import { downloadGcs, getGcs } from './gcs-read.ts';
import { uploadGcs } from './gcs-upload.ts';
import { deleteGcs, headGcs, putGcs } from './gcs-write.ts';
import { createBufferPool } from './part-buffers.ts';
import type { Store } from './store.ts';

/** Buffers kept between uploads: the parts of one small stream. */
const idleBuffers = 64 * 1024 ** 2;

/** A bucket of Google Cloud Storage. */
export function gcsStore(settings: GcsSettings, timings?: Timings): Store {
  const gcs = connectGcs(settings, timings);
  const pool = createBufferPool(idleBuffers);
  return {
    description: gcs.nameOf(undefined),
    put: (key, body, options) => putGcs(gcs, { key, body, ...options }),
    upload: (key, body, options) => uploadGcs(gcs, pool, key, body, options),
    download: (key, options) => downloadGcs(gcs, key, options),
    get: (key, { signal }) => getGcs(gcs, key, signal),
    async head(key, { signal }) {
      const found = await headGcs(gcs, key, signal);
      if (found === undefined) return undefined;
      const { mark: _, ...said } = found;
      return said;
    },
    list: (prefix, { signal }) => listGcs(gcs, prefix, signal),
    listFolders: (prefix, { signal }) => listGcsFolders(gcs, prefix, signal),
    delete: (keys, { signal }) => deleteEach(keys, (key) => deleteGcs(gcs, key, signal)),
    // A resumable upload that was never finished cannot be listed; the store forgets it after a week.
    sweepUnfinished: async () => 0,
    close: gcs.close,
  };
}
