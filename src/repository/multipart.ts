import { createHash, randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Failure, terminal, transient } from '../domain/failure.ts';
import { interruptible } from '../stream/interruptible.ts';
import { type Part, rechunk } from '../stream/rechunk.ts';
import { type BufferPool, createMemoryBudget, type MemoryBudget } from './part-buffers.ts';
import { maxObjectSize, memoryFor, partSize } from './part-size.ts';
import type { S3Connection } from './s3-connection.ts';
import {
  contentDigest,
  deleteObject,
  headObject,
  isOurs,
  objectExists,
  putObject,
  requireOurs,
  storedAs,
  writeMark,
} from './s3-write.ts';
import type { Uploaded, UploadOptions } from './store.ts';

interface Upload {
  readonly s3: S3Connection;
  readonly key: string;
  readonly mark: string;
  /** Ends everything: the caller's signal, or the first part that failed. */
  readonly stop: AbortController;
  readonly budget: MemoryBudget;
  readonly onProgress: (stored: number) => void;
}

/**
 * Stores a stream of unknown length under a key that must not exist. What is shorter than a part goes by one PUT. On any
 * failure the parts and the object are removed again, in a time of their own, also where the signal has aborted.
 */
export async function uploadStream(
  s3: S3Connection,
  pool: BufferPool,
  key: string,
  body: AsyncIterable<Buffer>,
  { signal, onProgress = () => undefined, concurrent = 1 }: UploadOptions,
): Promise<Uploaded> {
  if ((await headObject(s3, key, signal)) !== undefined) throw objectExists(s3, key);
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const budget = createMemoryBudget(pool, (size) => memoryFor(size) / concurrent, stop.signal);
  const upload: Upload = { s3, key, mark: randomUUID(), stop, budget, onProgress };
  const parts = rechunk(interruptible(body, stop.signal), {
    sizeOf: (index) => partSize(index) ?? tooLarge(s3, key),
    take: budget.take,
    give: budget.give,
  });
  try {
    if (signal.aborted) onAbort();
    const first = await parts.next();
    if (first.done === true) return await storeWhole(upload, Buffer.alloc(0));
    const { bytes, buffer } = first.value;
    if (bytes.length < buffer.length) {
      const stored = await storeWhole(upload, bytes);
      budget.give(buffer);
      return stored;
    }
    return await storeParts(upload, first.value, parts);
  } catch (error) {
    throw signal.aborted && error === signal.reason ? cancelled(s3, key, signal) : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort();
    await parts.return();
  }
}

function cancelled(s3: S3Connection, key: string, { reason }: AbortSignal): Failure {
  if (reason instanceof Failure) return reason;
  return transient(
    'Cancelled',
    `Stopped before s3://${s3.settings.bucket}/${s3.fullKey(key)} was stored; nothing is left of it.`,
    reason,
  );
}

async function storeWhole({ s3, key, stop, onProgress }: Upload, body: Buffer): Promise<Uploaded> {
  const { storageClass } = s3.settings;
  await putObject(s3, { key, body, ifAbsent: true, storageClass, signal: stop.signal });
  await checkSize(s3, key, body.length, stop.signal);
  onProgress(body.length);
  return { size: body.length, sha256: `sha256:${createHash('sha256').update(body).digest('hex')}` };
}

async function storeParts(upload: Upload, first: Part, rest: AsyncIterable<Part>): Promise<Uploaded> {
  const { s3, key, stop } = upload;
  const uploadId = await create(upload);
  let total = 0;
  try {
    const sending = new Set<Promise<void>>();
    const sent: CompletedPart[] = [];
    const hash = createHash('sha256');
    let acknowledged = 0;
    const send = (part: Part) => {
      hash.update(part.bytes);
      total += part.bytes.length;
      const one = sendPart(upload, uploadId, part).then((completed) => {
        sent.push(completed);
        acknowledged += part.bytes.length;
        upload.onProgress(acknowledged);
      });
      const watched = one.catch((error: unknown) => stop.abort(error)).finally(() => sending.delete(watched));
      sending.add(watched);
    };
    try {
      send(first);
      for await (const part of rest) send(part);
    } catch (error) {
      stop.abort(error);
      throw error;
    } finally {
      // After a failure too: an abort of the upload while parts are under way may leave them behind.
      await Promise.all(sending);
    }
    stop.signal.throwIfAborted();
    sent.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    await complete(upload, uploadId, sent, total);
    return { size: total, sha256: `sha256:${hash.digest('hex')}` };
  } catch (error) {
    await removeTraces(s3, { key, uploadId, mark: upload.mark, size: total });
    throw error;
  }
}

async function create({ s3, key, mark, stop }: Upload): Promise<string> {
  const { settings } = s3;
  const { UploadId } = await s3.run(
    { operation: 'begin the upload of', key, signal: stop.signal },
    (client, abortSignal) =>
      client.send(
        new CreateMultipartUploadCommand({
          Bucket: settings.bucket,
          Key: s3.fullKey(key),
          Metadata: { [writeMark]: mark },
          // Parts may carry a checksum only where the upload was begun with its algorithm.
          ...(settings.checksumMode === 'WhenSupported' ? { ChecksumAlgorithm: 'CRC32' as const } : {}),
          ...storedAs(s3, settings.storageClass),
        }),
        { abortSignal },
      ),
  );
  if (UploadId === undefined)
    throw terminal('NotSupported', `${settings.bucket} did not begin a multipart upload. Use a store that knows them.`);
  return UploadId;
}

async function sendPart(
  { s3, key, stop, budget }: Upload,
  uploadId: string,
  { index, bytes, buffer }: Part,
): Promise<CompletedPart> {
  const PartNumber = index + 1;
  const digest = contentDigest(s3, bytes);
  try {
    const answer = await s3.run(
      { operation: `store part ${PartNumber} of`, key, signal: stop.signal },
      (client, abortSignal) =>
        client.send(
          new UploadPartCommand({
            Bucket: s3.settings.bucket,
            Key: s3.fullKey(key),
            UploadId: uploadId,
            PartNumber,
            Body: bytes,
            ContentLength: bytes.length,
            ...digest,
          }),
          { abortSignal },
        ),
    );
    budget.give(buffer);
    return {
      PartNumber,
      ETag: answer.ETag,
      ...(answer.ChecksumCRC32 === undefined ? {} : { ChecksumCRC32: answer.ChecksumCRC32 }),
    };
  } catch (error) {
    // A request that was given up may still read the buffer.
    budget.drop(buffer);
    throw error;
  }
}

/** A 200 whose body is an error is an error: the SDK turns it into one. What is stored then is looked up once more. */
async function complete(upload: Upload, uploadId: string, parts: CompletedPart[], size: number): Promise<void> {
  const { s3, key, mark, stop } = upload;
  const send = (conditional: boolean) =>
    s3.run({ operation: 'finish the upload of', key, signal: stop.signal, completing: true }, (client, abortSignal) =>
      client.send(
        new CompleteMultipartUploadCommand({
          Bucket: s3.settings.bucket,
          Key: s3.fullKey(key),
          UploadId: uploadId,
          MultipartUpload: { Parts: parts },
          ...(conditional ? { IfNoneMatch: '*' } : {}),
        }),
        { abortSignal },
      ),
    );
  try {
    await send(true);
  } catch (error) {
    if (!(error instanceof Failure) || stop.signal.aborted) throw error;
    if (error.reason === 'NotSupported') {
      if ((await headObject(s3, key, stop.signal)) !== undefined) throw objectExists(s3, key);
      await send(false);
    } else {
      // The answer to an earlier try may have been lost: then the object is there, and the upload is not.
      await requireOurs(s3, { key, size, mark, signal: stop.signal }, error);
    }
  }
  await checkSize(s3, key, size, stop.signal);
}

async function checkSize(s3: S3Connection, key: string, size: number, signal: AbortSignal): Promise<void> {
  const stored = await headObject(s3, key, signal);
  if (stored?.size === size) return;
  throw transient(
    'ChecksumMismatch',
    `s3://${s3.settings.bucket}/${s3.fullKey(key)} ${stored === undefined ? 'is not there' : `has ${stored.size} bytes`} after ${size} bytes were stored and acknowledged. Check the store: it loses data.`,
  );
}

async function removeTraces(
  s3: S3Connection,
  {
    key,
    uploadId,
    mark,
    size,
  }: { readonly key: string; readonly uploadId: string; readonly mark: string; readonly size: number },
): Promise<void> {
  const signal = AbortSignal.timeout(s3.timings.cleanUp);
  // The failure that led here is the one to be told; what cannot be removed now, sweepUnfinished() removes.
  await s3
    .run({ operation: 'end the upload of', key, signal }, (client, abortSignal) =>
      client.send(
        new AbortMultipartUploadCommand({ Bucket: s3.settings.bucket, Key: s3.fullKey(key), UploadId: uploadId }),
        { abortSignal },
      ),
    )
    .catch(() => undefined);
  const stored = await headObject(s3, key, signal).catch(() => undefined);
  if (stored !== undefined && isOurs(stored, mark, size)) await deleteObject(s3, key, signal).catch(() => undefined);
}

function tooLarge(s3: S3Connection, key: string): never {
  throw terminal(
    'ObjectTooLarge',
    `s3://${s3.settings.bucket}/${s3.fullKey(key)} would be larger than ${maxObjectSize()} bytes, which 10,000 parts cannot hold in bounded memory. Use the format Directory, which is stored in many objects.`,
  );
}
