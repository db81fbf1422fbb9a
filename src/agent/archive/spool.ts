import { constants, watch } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terminal } from '../../domain/failure.ts';
import { fileInPieces } from '../../stream/file-in-pieces.ts';

/**
 * The folder between the server's container and this one. The two may run under different accounts, so that its folders
 * are open to everybody in the pod, and nothing in it is followed out of it.
 */
export interface Spool {
  /** Names of complete files that wait, in no order. */
  waiting(): Promise<readonly string[]>;
  /** Bytes; undefined where it is gone, 0 where it is no file. */
  sizeOf(name: string): Promise<number | undefined>;
  /** So many bytes of it, from its beginning. */
  read(name: string, size: number): Promise<Buffer>;
  /** All of it as it comes. */
  stream(name: string): AsyncIterable<Buffer>;
  /** Gives a content's memory back, once nobody reads it any more. */
  release(content: Buffer): void;
  /** The word that a file is stored everywhere. It survives this process; a node that fails takes the spool with it. */
  markDone(name: string, systemIdentifier: string): Promise<void>;
  /** The word to the server's log; `drop` also takes the file away, so that the server must bring it again. */
  markFailed(name: string, why: string, options: { readonly drop: boolean }): Promise<void>;
  /** Of the server's own pg_control; undefined until the script was called. */
  systemIdentifier(): Promise<string | undefined>;
  setAhead(segments: number): Promise<void>;
  /** Removes what nobody will ask for any more. */
  sweep(now: Date): Promise<void>;
  /** Calls at every change of what waits, where the kernel tells; the caller looks now and then all the same. */
  watch(onChange: () => void, signal: AbortSignal): void;
}

const smallestSegment = 1024 ** 2;
const freeMemory = 96 * 1024 ** 2;
const hour = 3_600_000;
const temporaryAge = hour / 6;

export async function openSpool(root: string): Promise<Spool> {
  const folders = { incoming: join(root, 'incoming'), done: join(root, 'done'), failed: join(root, 'failed') };
  for (const folder of Object.values(folders)) await makeFolder(folder);
  const incoming = (name: string) => join(folders.incoming, name);
  const free = new Map<number, Buffer[]>();
  return {
    async waiting() {
      const entries = await readdir(folders.incoming, { withFileTypes: true });
      return entries.filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
    },
    async sizeOf(name) {
      const found = await orUndefined(lstat(incoming(name)));
      return found === undefined || found.isFile() ? found?.size : 0;
    },
    read: (name, size) => readWhole(incoming(name), free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size)),
    stream: (name) => fileInPieces(incoming(name), smallestSegment, constants.O_NOFOLLOW),
    release(content) {
      const alike = free.get(content.length) ?? [];
      // Segments alone are worth it, and all of a server's have one size.
      if (content.length < smallestSegment || (free.size > 0 && !free.has(content.length))) return;
      free.set(content.length, alike);
      if (alike.length * content.length < freeMemory) alike.push(content);
    },
    async markDone(name, systemIdentifier) {
      const content = Buffer.alloc(8);
      content.writeBigUInt64LE(BigInt(systemIdentifier));
      await writeAtOnce(folders.done, name, content);
      await remove(incoming(name));
    },
    async markFailed(name, why, { drop }) {
      if (drop) await remove(incoming(name));
      await writeAtOnce(folders.failed, name, Buffer.from(`${why}\n`));
    },
    async systemIdentifier() {
      const content = await orUndefined(readWhole(incoming('.system'), Buffer.alloc(8)));
      return content?.length === 8 ? String(content.readBigUInt64LE(0)) : undefined;
    },
    setAhead: (segments) => writeAtOnce(root, 'ahead', Buffer.from(`${segments}\n`)),
    async sweep(now) {
      const temporary = (name: string) => name.startsWith('.') && name !== '.system';
      await removeOlder(folders.incoming, temporary, now.getTime() - temporaryAge);
      await removeOlder(folders.done, () => true, now.getTime() - hour);
      await removeOlder(folders.failed, () => true, now.getTime() - 24 * hour);
    },
    watch: (onChange, signal) => {
      try {
        // Where the kernel has no more watches to give, looking now and then is enough.
        const watcher = watch(folders.incoming, { signal, persistent: false }, (_, name) => {
          // The kernel tells of every piece that is written to a file on its way.
          if (name?.startsWith('.') !== true) onChange();
        });
        watcher.on('error', () => undefined);
      } catch {}
    },
  };
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    if (((await stat(folder)).mode & 0o1777) !== 0o777) await chmod(folder, 0o777);
  } catch (cause) {
    throw terminal(
      'SpoolUnavailable',
      `Cannot make ${folder}: ${cause instanceof Error ? cause.message : String(cause)}. The volume tidemark-wal must be an emptyDir that this container and the server's both mount.`,
      cause,
    );
  }
}

async function readWhole(path: string, content: Buffer): Promise<Buffer> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    let length = 0;
    while (length < content.length) {
      const { bytesRead } = await handle.read(content, length, content.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return content.subarray(0, length);
  } finally {
    await handle.close();
  }
}

async function writeAtOnce(folder: string, name: string, content: Buffer): Promise<void> {
  const temporary = join(folder, `.${name}.tmp`);
  await writeFile(temporary, content, { mode: 0o644 });
  await rename(temporary, join(folder, name));
}

async function removeOlder(folder: string, which: (name: string) => boolean, before: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!which(name)) continue;
    const found = await orUndefined(lstat(join(folder, name)));
    if (found !== undefined && found.mtimeMs < before) await remove(join(folder, name));
  }
}

async function remove(path: string): Promise<void> {
  await orUndefined(unlink(path));
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
