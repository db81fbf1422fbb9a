import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, rename, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { terminal } from '../domain/failure.ts';
import { writeWhole } from '../stream/write-whole.ts';
import type { Uploaded } from './store.ts';
import { requireInside, temporaryPrefix } from './volume-path.ts';

/** Room for another writer's pruning to take the folder away again between our mkdir and our open. */
const folderAttempts = 10;

export interface FileWrite {
  readonly root: string;
  readonly file: string;
  readonly body: AsyncIterable<Buffer>;
  /** An existing file stays, and is EEXIST; otherwise it is replaced. */
  readonly ifAbsent: boolean;
  readonly onProgress?: ((stored: number) => void) | undefined;
}

/**
 * Writes beside the place, syncs, then gives the name: a name is there with the whole content or not at all, also after
 * the power failed. On any failure nothing is left.
 */
export async function writeFile({ root, file, body, ifAbsent, onProgress }: FileWrite): Promise<Uploaded> {
  const { handle, temporary } = await createTemporary(root, file);
  try {
    let written: Uploaded;
    try {
      written = await copy(body, handle, onProgress);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (ifAbsent) await nameOnceDurably(root, temporary, file);
    else await rename(temporary, file);
    await syncFolders(root, dirname(file));
    return written;
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    await prune(root, dirname(file));
    throw error;
  }
}

async function createTemporary(
  root: string,
  file: string,
): Promise<{ readonly handle: FileHandle; readonly temporary: string }> {
  const temporary = join(dirname(file), `${temporaryPrefix}${randomUUID()}`);
  for (let attempt = 1; ; attempt += 1) {
    await mkdir(dirname(file), { recursive: true });
    try {
      await requireInside(root, file);
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      return { handle: await open(temporary, flags, 0o640), temporary };
    } catch (error) {
      if (!isCode(error, 'ENOENT') || attempt === folderAttempts) throw error;
    }
  }
}

async function copy(
  body: AsyncIterable<Buffer>,
  handle: FileHandle,
  onProgress: FileWrite['onProgress'],
): Promise<Uploaded> {
  const hash = createHash('sha256');
  let size = 0;
  const disk = syncAlong(handle);
  for await (const chunk of body) {
    hash.update(chunk);
    await writeWhole(handle, chunk, size);
    size += chunk.length;
    disk.wrote(chunk.length);
    onProgress?.(size);
  }
  await disk.settled();
  return { size, sha256: `sha256:${hash.digest('hex')}` };
}

const syncEvery = 32 * 1024 ** 2;

/**
 * Has the disk write while more comes, so that the last sync finds little to do. Where it fails, so does the whole: a sync
 * after it would know nothing of that any more.
 */
function syncAlong(handle: FileHandle): {
  readonly wrote: (bytes: number) => void;
  readonly settled: () => Promise<void>;
} {
  let waiting = 0;
  let running: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  return {
    wrote(bytes) {
      if (failure !== undefined) throw failure.error;
      waiting += bytes;
      if (waiting < syncEvery || running !== undefined) return;
      waiting = 0;
      running = handle
        .datasync()
        .catch((error: unknown) => {
          failure = { error };
        })
        .finally(() => {
          running = undefined;
        });
    },
    async settled() {
      await running;
      if (failure !== undefined) throw failure.error;
    },
  };
}

/** Who is told that a name is taken may rely on it, also where the writer before was killed between name and sync. */
async function nameOnceDurably(root: string, temporary: string, file: string): Promise<void> {
  try {
    await nameOnce(temporary, file);
  } catch (error) {
    if (isCode(error, 'EEXIST')) await syncFolders(root, dirname(file));
    throw error;
  }
}

/** A hard link refuses a name that is taken, atomically. */
async function nameOnce(temporary: string, file: string): Promise<void> {
  try {
    await link(temporary, file);
  } catch (error) {
    if (!isCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw error;
    await reserve(temporary, file);
    return;
  }
  await unlink(temporary);
}

/** Where the file system knows no hard links: an empty file takes the name, and is replaced. */
async function reserve(temporary: string, file: string): Promise<void> {
  await (await open(file, 'wx', 0o640)).close();
  try {
    await rename(temporary, file);
  } catch (error) {
    await unlink(file).catch(() => undefined);
    throw error;
  }
}

/** A new name is durable when its folder is synced, and so is a new folder's name in its own parent. */
async function syncFolders(root: string, folder: string): Promise<void> {
  for (const each of foldersUpTo(root, folder)) {
    const handle = await open(each, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } catch (error) {
      // Some network file systems know no sync of folders; they name files on the server at once.
      if (!isCode(error, 'EINVAL', 'ENOTSUP', 'EBADF')) throw error;
    } finally {
      await handle.close();
    }
  }
}

/** Removes the folders that have become empty, but not the root: a folder without files is no backup. */
export async function prune(root: string, folder: string): Promise<void> {
  for (const each of foldersUpTo(root, folder).slice(0, -1)) {
    try {
      await rmdir(each);
    } catch (error) {
      if (!isCode(error, 'ENOENT')) return;
    }
  }
}

/** The folder, its parent and so on, the root last. */
function foldersUpTo(root: string, folder: string): readonly string[] {
  if (folder === root) return [root];
  if (!folder.startsWith(root)) throw terminal('InvalidKey', `${folder} lies outside the repository ${root}.`);
  return [folder, ...foldersUpTo(root, dirname(folder))];
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
