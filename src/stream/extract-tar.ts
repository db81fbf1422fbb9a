import { once } from 'node:events';
import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, mkdir, open, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { extract } from 'tar-stream';
import type { Compression } from './compress.ts';
import { type FreeInOrder, freeInOrder } from './free-in-order.ts';
import { interruptible } from './interruptible.ts';
import { isUnpackedInside, unpacked } from './unpack.ts';
import { writeWhole } from './write-whole.ts';

export interface ExtractOptions {
  readonly folder: string;
  readonly compression: Pick<Compression, 'algorithm'>;
  readonly signal: AbortSignal;
}

/**
 * Unpacks a tar sequence into a folder, with the modes that it names and as the account that this is. In this process,
 * not by zstd and tar: the bytes of a whole database then are copied twice less, which is a third of the work. Rejects
 * with the source's error, NotATar, what unpacked() rejects with or an error of the file system.
 */
export async function extractTar(source: AsyncIterable<Buffer>, options: ExtractOptions): Promise<void> {
  const { folder, compression, signal } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // From here on without a pause: an entry or an error that nobody listens to yet would be lost, or end the process.
  const entries = extract();
  const stopping = new AbortController();
  const either = AbortSignal.any([signal, stopping.signal]);
  // What fails first is the cause of all that fails after it.
  const stop = (error: unknown) => {
    stopping.abort(error);
    entries.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  };
  // What zlib gives in this process is nobody else's.
  const memory = isUnpackedInside(compression) ? freeInOrder() : undefined;
  const feeding = feed(unpacked(compression, source, either), entries, memory, either).catch(stop);
  const laying = layEntries(entries, folder, memory).catch((error: unknown) =>
    stop(isOfFiles(error) ? error : notATar(error)),
  );
  await Promise.allSettled([feeding, laying]);
  signal.throwIfAborted();
  stopping.signal.throwIfAborted();
}

async function feed(
  bytes: AsyncIterable<Buffer>,
  entries: ReturnType<typeof extract>,
  memory: FreeInOrder | undefined,
  signal: AbortSignal,
): Promise<void> {
  for await (const piece of interruptible(bytes, signal)) {
    memory?.sent(piece);
    if (!entries.write(piece)) await once(entries, 'drain', { signal });
  }
  entries.end(undefined);
}

function notATar(error: unknown): NotATar {
  return error instanceof NotATar ? error : new NotATar(String(error), { cause: error });
}

/** What was unpacked is no tar sequence that a data directory is made of. */
export class NotATar extends Error {}

async function layEntries(
  entries: ReturnType<typeof extract>,
  folder: string,
  memory: FreeInOrder | undefined,
): Promise<void> {
  const modes = new Map<string, number>();
  const ensure = folderMaker(folder);
  for await (const entry of entries) {
    const { name, type, mode = 0o600, linkname } = entry.header;
    const path = within(folder, name);
    await ensure(type === 'directory' ? path : dirname(path));
    // Last, since a folder may be one that nobody writes into.
    if (type === 'directory') modes.set(path, mode & 0o7777);
    else if (type === 'symlink') await link(path, linkname ?? '');
    else if (type === 'file') await write(path, mode & 0o7777, entry, memory);
    else throw new NotATar(`${JSON.stringify(name)} is a ${type}, which no data directory holds`);
    entry.resume();
  }
  for (const [path, mode] of modes) await chmod(path, mode);
}

/**
 * Makes the folders under one that is there. A link in the way may lead anywhere, one that the same archive or another
 * chunk has laid too; a folder that was seen once cannot become one any more, since link() removes none.
 */
function folderMaker(root: string): (path: string) => Promise<void> {
  const there = new Set<string>([root]);
  return async (path) => {
    if (there.has(path)) return;
    let folder = root;
    for (const part of relative(root, path).split(sep)) {
      folder = join(folder, part);
      if (there.has(folder)) continue;
      await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
        if (!isOfFiles(error) || error.code !== 'EEXIST') throw error;
      });
      if (!(await lstat(folder)).isDirectory())
        throw new NotATar(`${JSON.stringify(relative(root, path))} leads through what is no folder`);
      there.add(folder);
    }
  };
}

/** Longer than any path that a kernel takes. */
const longestName = 4096;

/** A name that leads out of the folder is nothing that a server has written. */
function within(folder: string, name: string): string {
  if (name.length > longestName) throw new NotATar(`it holds a name of ${name.length} characters`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name.startsWith('/') || parts.includes('..'))
    throw new NotATar(`${JSON.stringify(name)} leads out of the folder`);
  return join(folder, ...parts);
}

async function write(
  path: string,
  mode: number,
  content: AsyncIterable<unknown>,
  memory: FreeInOrder | undefined,
): Promise<void> {
  const file = await openNew(path);
  try {
    for await (const one of content) {
      const piece = one as Buffer;
      await writeWhole(file, piece);
      memory?.arrived(piece);
    }
    await file.chmod(mode);
  } finally {
    await file.close();
  }
}

/** What is there from an attempt that was cut short goes first; a link is never followed. */
async function openNew(path: string): Promise<FileHandle> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
  try {
    return await open(path, flags, 0o600);
  } catch (error) {
    if (!isOfFiles(error) || error.code !== 'EEXIST') throw error;
    await rm(path, { force: true });
    return await open(path, flags, 0o600);
  }
}

async function link(path: string, target: string): Promise<void> {
  await rm(path, { force: true });
  await symlink(target, path);
}

function isOfFiles(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
