import { createHash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { Failure, terminal, transient } from '../domain/failure.ts';
import { interruptible } from '../stream/interruptible.ts';
import { cancelled } from './attempts.ts';
import type { RcloneConnection } from './rclone-connection.ts';
import { deleteRemote, pruneFolders } from './rclone-delete.ts';
import { keyOf, parentOf, temporaryPrefix } from './rclone-path.ts';
import { headRemote } from './rclone-read.ts';
import type { PutOptions, Uploaded, UploadOptions } from './store.ts';

/** Under another name first: a name is there with the whole content or not at all. */
export async function putRemote(
  rclone: RcloneConnection,
  key: string,
  body: Buffer,
  { ifAbsent, signal }: PutOptions,
): Promise<void> {
  keyOf(key);
  if (ifAbsent) await requireAbsent(rclone, key, signal);
  const temporary = temporaryOf(key);
  try {
    await rclone.run({ operation: 'store', key, signal }, (send, { alive }) =>
      sendFile(send, rclone, temporary, pieces(body, alive)),
    );
    await requireSize(rclone, temporary, body.length, signal);
    await giveName(rclone, { temporary, key, ifAbsent, size: body.length }, signal);
  } catch (error) {
    await removeTemporary(rclone, temporary);
    throw error;
  }
}

/**
 * A stream that nobody can begin again, so that a connection that breaks ends the upload. When the stream fails, what came
 * is stored to its end and then removed: rclone would else still be at it.
 */
export async function uploadRemote(
  rclone: RcloneConnection,
  key: string,
  body: AsyncIterable<Buffer>,
  { signal, onProgress = () => undefined }: UploadOptions,
): Promise<Uploaded> {
  keyOf(key);
  await requireAbsent(rclone, key, signal);
  const temporary = temporaryOf(key);
  const ended = new AbortController();
  const source = measured(interruptible(body, signal), onProgress);
  try {
    // Its own signal: what was begun is ended in order, also after an abort.
    const patience = patient(signal, rclone.timings.cleanUp, ended.signal);
    await rclone.runOnce({ operation: 'store', key, signal: patience }, (send, { alive }) =>
      sendFile(send, rclone, temporary, source.read(alive)),
    );
    if (source.failure() !== undefined) throw source.failure();
    const { size } = source.uploaded();
    await requireSize(rclone, temporary, size, signal);
    await giveName(rclone, { temporary, key, ifAbsent: true, size }, signal);
    return source.uploaded();
  } catch (error) {
    await removeTemporary(rclone, temporary);
    if (signal.aborted) throw cancelled(signal, `store ${rclone.nameOf(key)}; nothing is left of it`);
    throw source.failure() ?? error;
  } finally {
    ended.abort();
  }
}

/** Aborts some time after another signal did. */
function patient(signal: AbortSignal, time: number, ended: AbortSignal): AbortSignal {
  const late = new AbortController();
  const begin = () => {
    const timer = setTimeout(() => late.abort(signal.reason), time);
    ended.addEventListener('abort', () => clearTimeout(timer), { once: true });
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true, signal: ended });
  return late.signal;
}

/** Ends without an error when its source fails, and remembers that. */
function measured(body: AsyncIterable<Buffer>, onProgress: (stored: number) => void) {
  const hash = createHash('sha256');
  let size = 0;
  let failure: unknown;
  async function* read(alive: () => void) {
    try {
      for await (const chunk of body) {
        hash.update(chunk);
        yield chunk;
        size += chunk.length;
        alive();
        onProgress(size);
      }
    } catch (error) {
      failure = error ?? new Error('the stream failed');
    }
  }
  let uploaded: Uploaded | undefined;
  return {
    read,
    failure: () => failure,
    uploaded: () => {
      uploaded ??= { size, sha256: `sha256:${hash.digest('hex')}` };
      return uploaded;
    },
  };
}

type Send = Parameters<Parameters<RcloneConnection['run']>[1]>[0];

/** By operations/uploadfile, which is rclone rcat: it compares size and, where the remote has one, checksum. */
async function sendFile(
  send: Send,
  { settings }: RcloneConnection,
  temporary: string,
  body: AsyncIterable<Buffer>,
): Promise<void> {
  const boundary = `tidemark-${randomUUID()}`;
  const name = temporary.slice(parentOf(temporary).length).replace(/^\//, '');
  const query = new URLSearchParams({ fs: settings.remote, remote: parentOf(temporary) });
  const answer = await send.raw(`/operations/uploadfile?${query.toString().replaceAll('+', '%20')}`, {
    method: 'POST',
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Readable.from(form(boundary, name, body), { objectMode: false }),
  });
  await answer.body.dump();
}

async function* form(boundary: string, name: string, body: AsyncIterable<Buffer>) {
  yield Buffer.from(
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: application/octet-stream\r\n\r\n`,
  );
  yield* body;
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}

async function* pieces(body: Buffer, alive: () => void) {
  for (let start = 0; start < body.length; start += 256 * 1024) {
    yield body.subarray(start, start + 256 * 1024);
    alive();
  }
}

interface Naming {
  readonly temporary: string;
  readonly key: string;
  readonly ifAbsent: boolean;
  readonly size: number;
}

/**
 * Renames. With `ifAbsent` rclone looks once more right before, and leaves an existing one; whether the rename itself
 * refuses one is the remote's matter (an SFTP server of OpenSSH does), so of two writers at the same instant both may
 * believe they won: that is what conditionalPut: false says.
 */
async function giveName(
  rclone: RcloneConnection,
  { temporary, key, ifAbsent, size }: Naming,
  signal: AbortSignal,
): Promise<void> {
  const fs = rclone.settings.remote;
  const names = { srcFs: fs, srcRemote: temporary, dstFs: fs, dstRemote: key };
  const config = ifAbsent ? { IgnoreExisting: true } : { IgnoreTimes: true };
  try {
    await rclone.run({ operation: 'name', key, signal, completing: true }, (send) =>
      send.command('operations/movefile', { ...names, _config: config }),
    );
  } catch (error) {
    if (!(error instanceof Failure) || signal.aborted) throw error;
    // Also of a move whose answer was lost: then only the new name is there.
    if ((await headRemote(rclone, temporary, signal)) !== undefined) {
      if (ifAbsent && (await headRemote(rclone, key, signal)) !== undefined) throw remoteExists(rclone, key);
      throw error;
    }
    await requireSize(rclone, key, size, signal);
    return;
  }
  if (ifAbsent && (await headRemote(rclone, temporary, signal)) !== undefined) throw remoteExists(rclone, key);
  await requireSize(rclone, key, size, signal);
}

async function requireAbsent(rclone: RcloneConnection, key: string, signal: AbortSignal): Promise<void> {
  if ((await headRemote(rclone, key, signal)) !== undefined) throw remoteExists(rclone, key);
}

async function requireSize(rclone: RcloneConnection, key: string, size: number, signal: AbortSignal): Promise<void> {
  const stored = await headRemote(rclone, key, signal);
  // Some remotes do not know a size.
  if (stored?.size === size || stored?.size === -1) return;
  throw transient(
    'ChecksumMismatch',
    `${rclone.nameOf(key)} ${stored === undefined ? 'is not there' : `has ${stored.size} bytes`} after ${size} bytes were stored and acknowledged. Check the remote: it loses data.`,
  );
}

function remoteExists(rclone: RcloneConnection, key: string): Failure {
  return terminal(
    'ObjectExists',
    `${rclone.nameOf(key)} is already there, and nothing is ever overwritten. Look who else writes there.`,
  );
}

function temporaryOf(key: string): string {
  const parent = parentOf(key);
  return `${parent === '' ? '' : `${parent}/`}${temporaryPrefix}${randomUUID()}`;
}

/** The failure that led here is the one to be told; what cannot be removed now, sweepUnfinished() removes. */
async function removeTemporary(rclone: RcloneConnection, temporary: string): Promise<void> {
  const signal = AbortSignal.timeout(rclone.timings.cleanUp);
  await deleteRemote(rclone, temporary, signal).catch(() => undefined);
  await pruneFolders(rclone, [temporary], signal).catch(() => undefined);
}
