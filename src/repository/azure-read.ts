import { createHash } from 'node:crypto';
import type { BlobDownloadResponseParsed } from '@azure/storage-blob';
import { Failure, terminal, transient } from '../domain/failure.ts';
import type { Attempt } from './attempts.ts';
import type { AzureConnection } from './azure-connection.ts';
import { headBlob } from './azure-write.ts';
import { collectAnswer, smallObject } from './collect.ts';
import type { DownloadOptions } from './store.ts';
import { downloadByWindows, type Window, type WindowRequest } from './windows.ts';

export function downloadBlob(
  az: AzureConnection,
  key: string,
  options: DownloadOptions,
): Promise<AsyncIterable<Buffer>> {
  return downloadByWindows((request) => readWindow(az, key, request), options);
}

/** The service sends the MD5 of a range of up to 4 MiB, which is what a window is. */
async function readWindow(
  az: AzureConnection,
  key: string,
  { start, windowSize, version, signal }: WindowRequest,
): Promise<Window> {
  try {
    return await az.run({ operation: 'read', key, signal }, async (container, attempt) => {
      const answer = await container.getBlockBlobClient(az.fullKey(key)).download(start, windowSize, {
        abortSignal: attempt.signal,
        rangeGetContentMD5: true,
        maxRetryRequests: 0,
        ...(version === undefined ? {} : { conditions: { ifMatch: version } }),
      });
      const chunks = await collect(answer, attempt, az.fullKey(key));
      checkMd5(chunks, answer.contentMD5, az.fullKey(key));
      return { chunks, total: totalOf(answer), version: answer.etag };
    });
  } catch (error) {
    // Of nothing there is no range.
    const none = error instanceof Failure && error.reason === 'InvalidRange' && start === 0;
    if (none && (await headBlob(az, key, signal))?.size === 0) return { chunks: [], total: 0, version };
    throw error;
  }
}

export async function getBlob(az: AzureConnection, key: string, signal: AbortSignal): Promise<Buffer> {
  return az.run({ operation: 'read', key, signal }, async (container, attempt) => {
    const answer = await container
      .getBlockBlobClient(az.fullKey(key))
      .download(0, undefined, { abortSignal: attempt.signal, maxRetryRequests: 0 });
    return Buffer.concat(await collect(answer, attempt, az.fullKey(key)));
  });
}

function collect(answer: BlobDownloadResponseParsed, attempt: Attempt, key: string): Promise<readonly Buffer[]> {
  return collectAnswer(answer.readableStreamBody, { length: answer.contentLength, key, alive: attempt.alive });
}

function totalOf({ contentRange, contentLength = 0 }: BlobDownloadResponseParsed): number {
  const total = contentRange?.match(/\/(\d+)$/)?.[1];
  if (total !== undefined) return Number(total);
  if (contentLength <= smallObject) return contentLength;
  throw terminal('NotSupported', 'The store ignores the ranges of a request. Use a store that honours them.');
}

function checkMd5(chunks: readonly Buffer[], expected: Uint8Array | undefined, key: string): void {
  if (expected === undefined) return;
  const hash = createHash('md5');
  for (const chunk of chunks) hash.update(chunk);
  if (hash.digest().equals(Buffer.from(expected))) return;
  throw transient(
    'ChecksumMismatch',
    `Bytes of ${key} were damaged on their way. If it happens again, check the network.`,
  );
}
