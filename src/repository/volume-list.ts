import { opendir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { PackedNames } from './packed-names.ts';
import type { Listed } from './store.ts';
import { temporaryPrefix } from './volume-path.ts';
import { isCode } from './volume-write.ts';

/** Names of one folder that are held at a time, about 32 bytes each. */
const usualPage = 1_000_000;
const statsAtOnce = 32;

/** Files under a folder in the order of their keys, as S3 lists them; links, temporary files and foreign things are not there. */
export async function* listFiles(
  folder: string,
  prefix: string,
  pageSize = usualPage,
): AsyncGenerator<Listed, void, void> {
  for await (const entries of inOrder(folder, pageSize)) {
    const files = await Promise.all(entries.map((entry) => listedFile(folder, prefix, entry)));
    for (const [place, { name, isFolder }] of entries.entries()) {
      const file = files[place];
      if (isFolder) yield* listFiles(join(folder, name), `${prefix}${name}/`, pageSize);
      else if (file !== undefined) yield file;
    }
  }
}

export async function* listSubfolders(folder: string, pageSize = usualPage): AsyncGenerator<string, void, void> {
  for await (const entries of inOrder(folder, pageSize))
    for (const { name, isFolder } of entries) if (isFolder) yield name;
}

/** Removes the temporary files under a folder that were last written before an instant; returns how many. */
export async function removeTemporaries(folder: string, before: Date): Promise<number> {
  let removed = 0;
  for await (const { name, isFolder } of entriesOf(folder)) {
    const path = join(folder, name);
    if (isFolder) removed += await removeTemporaries(path, before);
    else if (name.startsWith(temporaryPrefix) && (await isOlder(path, before))) {
      await unlink(path);
      removed += 1;
    }
  }
  return removed;
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

/**
 * The entries in the order of the keys, a few at a time. A folder has no order of its own, so that it is read once for
 * each page, of which the least names behind the page before are kept.
 */
async function* inOrder(folder: string, pageSize: number): AsyncGenerator<readonly Entry[], void, void> {
  let last: Buffer | undefined;
  for (;;) {
    const { names, isLast } = await readPage(folder, last, pageSize);
    for (let place = 0; place < names.count; place += statsAtOnce) {
      const count = Math.min(statsAtOnce, names.count - place);
      yield Array.from({ length: count }, (_, offset) => entryOf(names.at(place + offset)));
    }
    if (isLast || names.count === 0) return;
    last = Buffer.from(names.at(names.count - 1));
  }
}

async function readPage(folder: string, after: Buffer | undefined, pageSize: number) {
  let names = new PackedNames();
  /** Above this none is among the least. */
  let bound: Buffer | undefined;
  for await (const entry of entriesOf(folder)) {
    const key = keyOf(entry);
    if (after !== undefined && key.compare(after) <= 0) continue;
    if (bound !== undefined && key.compare(bound) > 0) continue;
    names.add(key);
    if (names.count < 2 * pageSize) continue;
    names = names.least(pageSize);
    bound = Buffer.from(names.at(pageSize - 1));
  }
  const isLast = bound === undefined && names.count <= pageSize;
  return { names: names.count > pageSize ? names.least(pageSize) : names, isLast };
}

/** As a key goes on: `a.b` stands before `a/b`, and `a/b` before `a0`. */
function keyOf({ name, isFolder }: Entry): Buffer {
  return Buffer.from(isFolder ? `${name}/` : name);
}

function entryOf(key: Buffer): Entry {
  const text = key.toString();
  return text.endsWith('/') ? { name: text.slice(0, -1), isFolder: true } : { name: text, isFolder: false };
}

async function* entriesOf(folder: string): AsyncGenerator<Entry, void, void> {
  try {
    for await (const entry of await opendir(folder, { bufferSize: 1024 })) {
      const isFolder = entry.isDirectory();
      if (entry.isFile() || (isFolder && entry.name !== 'lost+found')) yield { name: entry.name, isFolder };
    }
  } catch (error) {
    // Removed meanwhile, or never there: nothing is in it.
    if (!isCode(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
}

/** A page may be long, and what is deleted meanwhile is not there any more. */
async function listedFile(folder: string, prefix: string, { name, isFolder }: Entry): Promise<Listed | undefined> {
  if (isFolder || name.startsWith(temporaryPrefix)) return undefined;
  const found = await statFile(join(folder, name));
  return found === undefined ? undefined : { key: `${prefix}${name}`, size: found.size, lastModified: found.mtime };
}

async function isOlder(path: string, before: Date): Promise<boolean> {
  const found = await statFile(path);
  return found !== undefined && found.mtime < before;
}

async function statFile(path: string): Promise<{ readonly size: number; readonly mtime: Date } | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
