import { z } from 'zod';
import { type Failure, terminal } from '../domain/failure.ts';
import { collectAnswer, discardAnswer } from './collect.ts';
import type { RcloneConnection } from './rclone-connection.ts';
import { keyOf } from './rclone-path.ts';
import type { DownloadOptions } from './store.ts';
import { downloadByWindows, type Window, type WindowRequest } from './windows.ts';

const found = z.object({
  item: z.object({ Size: z.number(), IsDir: z.boolean(), ModTime: z.string() }).nullable(),
});

/** undefined where it does not exist. */
export async function headRemote(
  rclone: RcloneConnection,
  key: string,
  signal: AbortSignal,
): Promise<{ readonly size: number } | undefined> {
  const item = await rclone.run({ operation: 'look up', key, signal }, async (send) => {
    const opt = { noMimeType: true };
    const parameters = { fs: rclone.settings.remote, remote: key, opt };
    return found.parse(await send.command('operations/stat', parameters)).item;
  });
  return item === null || item.IsDir ? undefined : { size: item.Size };
}

export function downloadRemote(
  rclone: RcloneConnection,
  key: string,
  options: DownloadOptions,
): Promise<AsyncIterable<Buffer>> {
  keyOf(key);
  return downloadByWindows((request) => readWindow(rclone, key, request), options);
}

/** The size is all that every remote tells of a content; objects are written once, so another one is a fault anyway. */
async function readWindow(
  rclone: RcloneConnection,
  key: string,
  { start, windowSize, version, signal }: WindowRequest,
): Promise<Window> {
  return rclone.run({ operation: 'read', key, signal }, async (send, attempt) => {
    const range = `bytes=${start}-${start + windowSize - 1}`;
    const { statusCode, headers, body } = await send.raw(addressOf(rclone, key), { method: 'GET', headers: { range } });
    const [, from, total] = String(headers['content-range'] ?? '').match(/^bytes (\d+)-\d*\/(\d+)$/) ?? [];
    const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
    const whole = total === undefined ? length : Number(total);
    // rclone answers for an empty object, and for a range beyond the end, with nothing.
    if (whole === undefined || (start > 0 && statusCode !== 206) || Number(from ?? 0) !== start) {
      discardAnswer(body);
      throw unranged(rclone, key);
    }
    if (version !== undefined && version !== String(whole)) {
      discardAnswer(body);
      throw changed(rclone, key);
    }
    const expected = Math.min(windowSize, whole - start);
    const chunks = await collectAnswer(body, { length: expected, key: rclone.nameOf(key), alive: attempt.alive });
    return { chunks, total: whole, version: String(whole) };
  });
}

export async function getRemote(rclone: RcloneConnection, key: string, signal: AbortSignal): Promise<Buffer> {
  keyOf(key);
  return rclone.run({ operation: 'read', key, signal }, async (send, attempt) => {
    const { headers, body } = await send.raw(addressOf(rclone, key), { method: 'GET' });
    const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
    return Buffer.concat(await collectAnswer(body, { length, key: rclone.nameOf(key), alive: attempt.alive }));
  });
}

/** As rcd --rc-serve has it: /[remote]/path. */
function addressOf({ settings }: RcloneConnection, key: string): string {
  const path = key.split('/').map(encodeURIComponent).join('/');
  return `/%5B${encodeURIComponent(settings.remote)}%5D/${path}`;
}

function unranged(rclone: RcloneConnection, key: string): Failure {
  return terminal('NotSupported', `The remote gives no ranges of ${rclone.nameOf(key)}. Use one that does.`);
}

function changed(rclone: RcloneConnection, key: string): Failure {
  return terminal(
    'ObjectChanged',
    `${rclone.nameOf(key)} was replaced while it was read. Find out who writes under the repository’s path.`,
  );
}
