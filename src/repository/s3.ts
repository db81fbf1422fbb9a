import { uploadStream } from './multipart.ts';
import { createBufferPool } from './part-buffers.ts';
import { connectS3, type S3Settings, type S3Timings } from './s3-connection.ts';
import { deleteObjects } from './s3-delete.ts';
import { endUnfinishedUploads, listFolders, listObjects } from './s3-list.ts';
import { downloadObject, getObject } from './s3-read.ts';
import { headObject, putObject, refusesSecondPut } from './s3-write.ts';
import type { Store } from './store.ts';

/** Buffers kept between uploads: the parts of one small stream. */
const idleBuffers = 128 * 1024 ** 2;

/** S3 and what speaks its protocol. */
export function s3Store(settings: S3Settings, timings?: S3Timings): Store {
  const s3 = connectS3(settings, timings);
  const pool = createBufferPool(idleBuffers);
  return {
    description: `s3://${settings.bucket}${settings.prefix === '' ? '' : `/${settings.prefix}`}`,
    put: (key, body, options) => putObject(s3, { key, body, ...options }),
    upload: (key, body, options) => uploadStream(s3, pool, key, body, options),
    download: (key, options) => downloadObject(s3, key, options),
    get: (key, { signal }) => getObject(s3, key, signal),
    async head(key, { signal }) {
      const found = await headObject(s3, key, signal);
      if (found === undefined) return undefined;
      const { mark: _, ...facts } = found;
      return facts;
    },
    list: (prefix, { signal }) => listObjects(s3, prefix, signal),
    listFolders: (prefix, { signal }) => listFolders(s3, prefix, signal),
    delete: (keys, { signal }) => deleteObjects(s3, keys, signal),
    sweepUnfinished: (prefix, before, { signal }) => endUnfinishedUploads(s3, prefix, before, signal),
    refusesSecondPut: (key, { signal }) => refusesSecondPut(s3, key, signal),
    close: async () => s3.close(),
  };
}
