import { GetObjectCommand } from '@aws-sdk/client-s3';
import { Failure, terminal, transient } from '../domain/failure.ts';
import type { S3Connection } from './s3-connection.ts';
import { headObject } from './s3-write.ts';
import type { DownloadOptions } from './store.ts';

interface Pace {
  readonly windowSize: number;
  /** Windows under way or waiting for the reader. */
  readonly ahead: number;
}

/** 16 MiB at a time. */
const usual: Pace = { windowSize: 4 * 1024 ** 2, ahead: 4 };
const sparingly: Pace = { windowSize: 1024 ** 2, ahead: 1 };
const smallObject = 64 * 1024 ** 2;

interface Window {
  /** As they came: copying them together would only make garbage twice. */
  readonly chunks: readonly Buffer[];
  readonly total: number;
  readonly etag: string | undefined;
}

/**
 * The object by ranges, some ahead of the reader. So no connection stands idle while the reader is slow (pg_restore may
 * not read for an hour while it builds an index), and a broken one costs a range, not the download.
 */
export async function downloadObject(
  s3: S3Connection,
  key: string,
  { signal, sparing = false }: DownloadOptions,
): Promise<AsyncIterable<Buffer>> {
  const pace = sparing ? sparingly : usual;
  const first = await readWindow(s3, key, { start: 0, windowSize: pace.windowSize, signal });
  return readAhead(s3, key, first, { signal, pace });
}

async function* readAhead(
  s3: S3Connection,
  key: string,
  first: Window,
  { signal: outer, pace: { windowSize, ahead: most } }: { readonly signal: AbortSignal; readonly pace: Pace },
): AsyncGenerator<Buffer, void, void> {
  const abandoned = new AbortController();
  const signal = AbortSignal.any([outer, abandoned.signal]);
  const ahead: Promise<Window>[] = [];
  let next = Math.min(windowSize, first.total);
  const fill = () => {
    while (ahead.length < most && next < first.total) {
      const window = readWindow(s3, key, { start: next, windowSize, etag: first.etag, signal });
      window.catch(() => undefined);
      ahead.push(window);
      next += windowSize;
    }
  };
  try {
    fill();
    yield* first.chunks;
    for (let window = ahead.shift(); window !== undefined; window = ahead.shift()) {
      const { chunks } = await window;
      fill();
      yield* chunks;
    }
  } finally {
    abandoned.abort();
  }
}

async function readWindow(
  s3: S3Connection,
  key: string,
  {
    start,
    windowSize,
    etag,
    signal,
  }: {
    readonly start: number;
    readonly windowSize: number;
    readonly etag?: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<Window> {
  try {
    return await s3.run({ operation: 'read', key, signal }, async (client, abortSignal) => {
      const answer = await client.send(
        new GetObjectCommand({
          Bucket: s3.settings.bucket,
          Key: s3.fullKey(key),
          Range: `bytes=${start}-${start + windowSize - 1}`,
          ...(etag === undefined ? {} : { IfMatch: etag }),
        }),
        { abortSignal },
      );
      const range = readRange(answer.ContentRange);
      const length = range?.length ?? answer.ContentLength ?? 0;
      if (range === undefined ? start > 0 || length > windowSize : range.start !== start || length > windowSize) {
        discard(answer.Body);
        throw terminal(
          'NotSupported',
          `The store ignores the ranges of a request for ${s3.fullKey(key)}. Use a store that honours them.`,
        );
      }
      const chunks = await collect(answer.Body, length, s3.fullKey(key));
      return { chunks, total: range?.total ?? length, etag: answer.ETag };
    });
  } catch (error) {
    // Of nothing there is no range.
    if (start === 0 && (await isEmpty(s3, key, error, signal))) return { chunks: [], total: 0, etag };
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
    if (length !== undefined && length > smallObject) {
      discard(answer.Body);
      throw tooLarge(s3.fullKey(key), length);
    }
    return Buffer.concat(await collect(answer.Body, length, s3.fullKey(key)));
  });
}

/** Reads an answer whole. `length` is missing where a proxy sends it in pieces; the protocol tells where they end. */
async function collect(body: unknown, length: number | undefined, key: string): Promise<readonly Buffer[]> {
  const chunks: Buffer[] = [];
  if (!isReadable(body)) return chunks;
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (length !== undefined && size > length) throw broken(key, 'more', length);
    if (size > smallObject) throw tooLarge(key, size);
    chunks.push(chunk);
  }
  if (length !== undefined && size < length) throw broken(key, `${size}`, length);
  return chunks;
}

function broken(key: string, got: string, length: number): Failure {
  return transient(
    'StoreUnreachable',
    `The answer for ${key} had ${got} bytes instead of ${length}: the connection broke. Look at the network.`,
  );
}

function tooLarge(key: string, size: number): Failure {
  return terminal(
    'ObjectTooLarge',
    `${key} has ${size} bytes or more, where a small file was expected. Look who wrote it.`,
  );
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

function isReadable(body: unknown): body is AsyncIterable<Buffer> & { destroy(): void } {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body && 'destroy' in body;
}

function discard(body: unknown): void {
  if (isReadable(body)) body.destroy();
}
