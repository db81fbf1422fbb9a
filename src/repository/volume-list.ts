import type { Dirent } from 'node:fs';
import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Listed } from './store.ts';
import { temporaryPrefix } from './volume-path.ts';
import { isCode } from './volume-write.ts';

/** Files under a folder in the order of their keys, as S3 lists them; links, temporary files and foreign things are not there. */
export async function* listFiles(folder: string, prefix: string): AsyncGenerator<Listed, void, void> {
  for (const entry of await readSorted(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      yield* listFiles(path, `${prefix}${entry.name}/`);
      continue;
    }
    if (entry.name.startsWith(temporaryPrefix)) continue;
    const found = await statFile(path);
    if (found !== undefined) yield { key: `${prefix}${entry.name}`, size: found.size, lastModified: found.mtime };
  }
}

export async function listSubfolders(folder: string): Promise<readonly string[]> {
  return (await readSorted(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** Removes the temporary files under a folder that were last written before an instant; returns how many. */
export async function removeTemporaries(folder: string, before: Date): Promise<number> {
  let removed = 0;
  for (const entry of await readSorted(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removed += await removeTemporaries(path, before);
    else if (entry.name.startsWith(temporaryPrefix) && (await isOlder(path, before))) {
      await unlink(path);
      removed += 1;
    }
  }
  return removed;
}

async function isOlder(path: string, before: Date): Promise<boolean> {
  const found = await statFile(path);
  return found !== undefined && found.mtime < before;
}

async function readSorted(folder: string): Promise<readonly Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const wanted = entries.filter((entry) => entry.isFile() || (entry.isDirectory() && entry.name !== 'lost+found'));
    return wanted.sort((a, b) => Buffer.compare(sortKey(a), sortKey(b)));
  } catch (error) {
    // Removed meanwhile, or never there: nothing is in it.
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** As a key goes on: `a.b` stands before `a/b`, and `a/b` before `a0`. */
function sortKey(entry: Dirent): Buffer {
  return Buffer.from(entry.isDirectory() ? `${entry.name}/` : entry.name);
}

async function statFile(path: string): Promise<{ readonly size: number; readonly mtime: Date } | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
