import { GetObjectCommand } from '@aws-sdk/client-s3';
import { Failure, terminal } from '../domain/failure.ts';
import { collectAnswer, discardAnswer } from './collect.ts';
import type { S3Connection } from './s3-connection.ts';
import { headObject } from './s3-write.ts';
import type { DownloadOptions } from './store.ts';
import { downloadByWindows, type Window, type WindowRequest } from './windows.ts';

export function downloadObject(
  s3: S3Connection,
  key: string,
  options: DownloadOptions,
): Promise<AsyncIterable<Buffer>> {
  return downloadByWindows((request) => readWindow(s3, key, request), options);
}

async function readWindow(
  s3: S3Connection,
  key: string,
  { start, windowSize, version, signal }: WindowRequest,
): Promise<Window> {
  try {
    return await s3.run({ operation: 'read', key, signal }, async (client, abortSignal) => {
      const answer = await client.send(
        new GetObjectCommand({
          Bucket: s3.settings.bucket,
          Key: s3.fullKey(key),
          Range: `bytes=${start}-${start + windowSize - 1}`,
          ...(version === undefined ? {} : { IfMatch: version }),
        }),
        { abortSignal },
      );
      const range = readRange(answer.ContentRange);
      const length = range?.length ?? answer.ContentLength ?? 0;
      if (range === undefined ? start > 0 || length > windowSize : range.start !== start || length > windowSize) {
        discardAnswer(answer.Body);
        throw terminal(
          'NotSupported',
          `The store ignores the ranges of a request for ${s3.fullKey(key)}. Use a store that honours them.`,
        );
      }
      const chunks = await collectAnswer(answer.Body, { length, key: s3.fullKey(key) });
      return { chunks, total: range?.total ?? length, version: answer.ETag };
    });
  } catch (error) {
    // Of nothing there is no range.
    if (start === 0 && (await isEmpty(s3, key, error, signal))) return { chunks: [], total: 0, version };
    throw error;
  }
}

async function isEmpty(s3: S3Connection, key: string, error: unknown, signal: AbortSignal): Promise<boolean> {
  if (!(error instanceof Failure) || error.reason !== 'InvalidRange') return false;
  return (await headObject(s3, key, signal))?.size === 0;
}

export async function getObject(s3: S3Connection, key: string, signal: AbortSignal): Promise<Buffer> {
  return s3.run({ operation: 'read', key, signal }, async (client, abortSignal) => {
    const answer = await client.send(new GetObjectCommand({ Bucket: s3.settings.bucket, Key: s3.fullKey(key) }), {
      abortSignal,
    });
    const length = answer.ContentLength;
    return Buffer.concat(await collectAnswer(answer.Body, { length, key: s3.fullKey(key) }));
  });
}

interface Range {
  readonly start: number;
  readonly length: number;
  readonly total: number;
}

function readRange(header: string | undefined): Range | undefined {
  const [, start, end, total] = header?.match(/^bytes (\d+)-(\d+)\/(\d+)$/)?.map(Number) ?? [];
  if (start === undefined || end === undefined || total === undefined) return undefined;
  return { start, length: end - start + 1, total };
}
