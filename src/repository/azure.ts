import type { Timings } from './attempts.ts';
import { type AzureSettings, connectAzure } from './azure-connection.ts';
import { listBlobFolders, listBlobs } from './azure-list.ts';
import { downloadBlob, getBlob } from './azure-read.ts';
import { deleteBlob, headBlob, putBlob, uploadBlob } from './azure-write.ts';
import { deleteEach } from './delete-each.ts';
import { createBufferPool } from './part-buffers.ts';
import type { Store } from './store.ts';

/** Buffers kept between uploads: the parts of one small stream. */
const idleBuffers = 128 * 1024 ** 2;

/** A container of Azure Blob Storage. */
export function azureStore(settings: AzureSettings, timings?: Timings): Store {
  const az = connectAzure(settings, timings);
  const pool = createBufferPool(idleBuffers);
  return {
    description: az.nameOf(undefined),
    put: (key, body, options) => putBlob(az, { key, body, ...options }),
    upload: (key, body, options) => uploadBlob(az, pool, key, body, options),
    download: (key, options) => downloadBlob(az, key, options),
    get: (key, { signal }) => getBlob(az, key, signal),
    async head(key, { signal }) {
      const found = await headBlob(az, key, signal);
      if (found === undefined) return undefined;
      const { mark: _, ...said } = found;
      return said;
    },
    list: (prefix, { signal }) => listBlobs(az, prefix, signal),
    listFolders: (prefix, { signal }) => listBlobFolders(az, prefix, signal),
    delete: (keys, { signal }) => deleteEach(keys, (key) => deleteBlob(az, key, signal)),
    // Blocks that were never committed cannot be listed nor removed alone; the service forgets them after a week.
    sweepUnfinished: async () => 0,
    close: async () => undefined,
  };
}
