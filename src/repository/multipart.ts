import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { Failure, terminal, transient } from '../domain/failure.ts';
import type { BufferPool } from './part-buffers.ts';
import { maxObjectSize, partSize } from './part-size.ts';
import type { S3Connection } from './s3-connection.ts';
import { endOtherUploads } from './s3-list.ts';
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
import { uploadInParts } from './upload-parts.ts';

interface Upload {
  readonly s3: S3Connection;
  readonly key: string;
  readonly mark: string;
}

/** Stores a stream of unknown length under a key that must not exist: what is shorter than a part by one PUT. */
export function uploadStream(
  s3: S3Connection,
  pool: BufferPool,
  key: string,
  body: AsyncIterable<Buffer>,
  options: UploadOptions,
): Promise<Uploaded> {
  const upload: Upload = { s3, key, mark: randomUUID() };
  return uploadInParts(
    {
      partSize: (index) => partSize(index) ?? tooLarge(s3, key),
      async requireAbsent(signal) {
        if ((await headObject(s3, key, signal)) !== undefined) throw objectExists(s3, key);
      },
      async storeWhole(whole, signal) {
        const { storageClass } = s3.settings;
        await putObject(s3, { key, body: whole, ifAbsent: true, storageClass, signal });
        await checkSize(s3, key, whole.length, signal);
      },
      begin: (signal) => create(upload, signal),
      sendPart: (uploadId, { index, bytes }, signal) => sendPart(upload, uploadId, { index, bytes }, signal),
      complete: (uploadId, parts, size, signal) => complete(upload, uploadId, { parts, size }, signal),
      removeTraces: (uploadId, size) => removeTraces(upload, uploadId, size),
    },
    pool,
    `s3://${s3.settings.bucket}/${s3.fullKey(key)}`,
    body,
    options,
  );
}

async function create({ s3, key, mark }: Upload, signal: AbortSignal): Promise<string> {
  const { settings } = s3;
  let tries = 0;
  const { UploadId } = await s3.run({ operation: 'begin the upload of', key, signal }, (client, abortSignal) => {
    const sent = client.send(
      new CreateMultipartUploadCommand({
        Bucket: settings.bucket,
        Key: s3.fullKey(key),
        Metadata: { [writeMark]: mark },
        // Parts may carry a checksum only where the upload was begun with its algorithm.
        ...(settings.checksumMode === 'WhenSupported' ? { ChecksumAlgorithm: 'CRC32' as const } : {}),
        ...storedAs(s3, settings.storageClass),
      }),
      { abortSignal },
    );
    tries += 1;
    return sent.then((answer) => {
      tries += (answer.$metadata.attempts ?? 1) - 1;
      return answer;
    });
  });
  if (UploadId === undefined)
    throw terminal('NotSupported', `${settings.bucket} did not begin a multipart upload. Use a store that knows them.`);
  // Of an earlier try the answer may have been lost alone. What cannot be ended now goes with the backup.
  if (tries > 1) await endOtherUploads(s3, key, UploadId, signal).catch(() => undefined);
  return UploadId;
}

async function sendPart(
  { s3, key }: Upload,
  uploadId: string,
  { index, bytes }: { readonly index: number; readonly bytes: Buffer },
  signal: AbortSignal,
): Promise<CompletedPart> {
  const PartNumber = index + 1;
  const digest = contentDigest(s3, bytes);
  const answer = await s3.run({ operation: `store part ${PartNumber} of`, key, signal }, (client, abortSignal) =>
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
  return {
    PartNumber,
    ETag: answer.ETag,
    ...(answer.ChecksumCRC32 === undefined ? {} : { ChecksumCRC32: answer.ChecksumCRC32 }),
  };
}

/** A 200 whose body is an error is an error: the SDK turns it into one. What is stored then is looked up once more. */
async function complete(
  { s3, key, mark }: Upload,
  uploadId: string,
  { parts, size }: { readonly parts: readonly CompletedPart[]; readonly size: number },
  signal: AbortSignal,
): Promise<void> {
  const send = (conditional: boolean) =>
    s3.run({ operation: 'finish the upload of', key, signal, completing: true }, (client, abortSignal) =>
      client.send(
        new CompleteMultipartUploadCommand({
          Bucket: s3.settings.bucket,
          Key: s3.fullKey(key),
          UploadId: uploadId,
          MultipartUpload: { Parts: [...parts] },
          ...(conditional ? { IfNoneMatch: '*' } : {}),
        }),
        { abortSignal },
      ),
    );
  try {
    await send(true);
  } catch (error) {
    if (!(error instanceof Failure) || signal.aborted) throw error;
    if (error.reason === 'NotSupported') {
      if ((await headObject(s3, key, signal)) !== undefined) throw objectExists(s3, key);
      await send(false);
    } else {
      // The answer to an earlier try may have been lost: then the object is there, and the upload is not.
      await requireOurs(s3, { key, size, mark, signal }, error);
    }
  }
  await checkSize(s3, key, size, signal);
}

async function checkSize(s3: S3Connection, key: string, size: number, signal: AbortSignal): Promise<void> {
  const stored = await headObject(s3, key, signal);
  if (stored?.size === size) return;
  throw transient(
    'ChecksumMismatch',
    `s3://${s3.settings.bucket}/${s3.fullKey(key)} ${stored === undefined ? 'is not there' : `has ${stored.size} bytes`} after ${size} bytes were stored and acknowledged. Check the store: it loses data.`,
  );
}

async function removeTraces({ s3, key, mark }: Upload, uploadId: string, size: number): Promise<void> {
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
