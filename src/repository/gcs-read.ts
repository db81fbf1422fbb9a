import type { Dispatcher } from 'undici';
import { Failure, terminal, transient } from '../domain/failure.ts';
import { collectAnswer, discardAnswer } from './collect.ts';
import { crc32c, formatCrc32c } from './crc32c.ts';
import type { GcsConnection } from './gcs-connection.ts';
import { headGcs } from './gcs-write.ts';
import type { DownloadOptions } from './store.ts';
import { downloadByWindows, type Window, type WindowRequest } from './windows.ts';

export function downloadGcs(gcs: GcsConnection, key: string, options: DownloadOptions): Promise<AsyncIterable<Buffer>> {
  return downloadByWindows((request) => readWindow(gcs, key, request), options);
}

async function readWindow(
  gcs: GcsConnection,
  key: string,
  { start, windowSize, version, signal }: WindowRequest,
): Promise<Window> {
  try {
    return await gcs.run({ operation: 'read', key, signal }, async (send, attempt) => {
      const { statusCode, headers, body } = await send({
        method: 'GET',
        path: gcs.objectPath(key),
        query: { alt: 'media', ...(version === undefined ? {} : { ifGenerationMatch: version }) },
        headers: { range: `bytes=${start}-${start + windowSize - 1}` },
      });
      const length = lengthOf(headers);
      const range = rangeOf(headers);
      if (statusCode === 206 ? range?.start !== start : start > 0 || (length ?? 0) > windowSize) {
        discardAnswer(body);
        throw terminal(
          'NotSupported',
          `The store ignores the ranges of a request for ${gcs.nameOf(key)}. Use one that honours them.`,
        );
      }
      const chunks = await collectAnswer(body, { length, key: gcs.nameOf(key), alive: attempt.alive });
      return { chunks, total: range?.total ?? length ?? sizeOf(chunks), version: textOf(headers, 'x-goog-generation') };
    });
  } catch (error) {
    // Of nothing there is no range.
    const none = error instanceof Failure && error.reason === 'InvalidRange' && start === 0;
    if (none && (await headGcs(gcs, key, signal))?.size === 0) return { chunks: [], total: 0, version };
    throw error;
  }
}

/** A small object whole, against the CRC32C that the store sends with it. */
export async function getGcs(gcs: GcsConnection, key: string, signal: AbortSignal): Promise<Buffer> {
  return gcs.run({ operation: 'read', key, signal }, async (send, attempt) => {
    const { headers, body } = await send({ method: 'GET', path: gcs.objectPath(key), query: { alt: 'media' } });
    const chunks = await collectAnswer(body, {
      length: lengthOf(headers),
      key: gcs.nameOf(key),
      alive: attempt.alive,
    });
    const whole = Buffer.concat(chunks);
    const expected = textOf(headers, 'x-goog-hash')?.match(/crc32c=([A-Za-z0-9+/=]+)/)?.[1];
    if (expected === undefined || expected === formatCrc32c(crc32c(whole))) return whole;
    throw transient(
      'ChecksumMismatch',
      `Bytes of ${gcs.nameOf(key)} were damaged on their way. If it happens again, check the network.`,
    );
  });
}

type Headers = Dispatcher.ResponseData['headers'];

function textOf(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function lengthOf(headers: Headers): number | undefined {
  const value = textOf(headers, 'content-length');
  return value === undefined ? undefined : Number(value);
}

function rangeOf(headers: Headers): { readonly start: number; readonly total: number } | undefined {
  const [, start, total] = textOf(headers, 'content-range')?.match(/^bytes (\d+)-\d+\/(\d+)$/) ?? [];
  return start === undefined || total === undefined ? undefined : { start: Number(start), total: Number(total) };
}

function sizeOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}
