import { lstat, mkdir, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Failure, terminal, transient } from '../domain/failure.ts';
import { inOnePiece } from '../stream/in-one-piece.ts';
import { interruptible } from '../stream/interruptible.ts';
import type { Store } from './store.ts';
import { volumeFailure } from './volume-failure.ts';
import { listFiles, listSubfolders, removeTemporaries } from './volume-list.ts';
import { filePath, folderPath } from './volume-path.ts';
import { readFile, readSmallFile } from './volume-read.ts';
import { isCode, prune, writeFile } from './volume-write.ts';

export interface VolumeSettings {
  /** Where the claim is mounted; it must be there. */
  readonly mount: string;
  /** The repository's folder in it; made when it is missing. */
  readonly path: string;
  readonly claimName: string;
}

/** A folder of a mounted volume. */
export function volumeStore({ mount, path, claimName }: VolumeSettings): Store {
  const root = `${mount}/${path}`;
  const run = async <T>(operation: string, key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> => {
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      if (signal.aborted) throw cancelled(signal, `${operation} ${key}`);
      throw volumeFailure(error, { operation, path: `${path}/${key}`, claimName });
    }
  };
  const prepare = () => prepareRoot(mount, root, claimName);
  const listing = <Item>(items: AsyncIterable<Item>, prefix: string, signal: AbortSignal) =>
    translated(endedBy(items, signal), (error) =>
      signal.aborted
        ? cancelled(signal, `list ${prefix}`)
        : volumeFailure(error, { operation: 'list', path: `${path}/${prefix}`, claimName }),
    );
  return {
    description: `the volume of ${claimName}, ${path}`,
    put: (key, body, { ifAbsent, signal }) =>
      run('store', key, signal, async () => {
        await prepare();
        await writeFile({ root, file: filePath(root, key), body: inOnePiece(body), ifAbsent });
      }),
    async upload(key, body, { signal, onProgress }) {
      const source = tellApart(interruptible(body, signal));
      try {
        return await run('store', key, signal, async () => {
          await prepare();
          const file = filePath(root, key);
          if (await exists(file)) throw objectExists(key, claimName);
          return writeFile({ root, file, body: source.stream, ifAbsent: true, onProgress });
        });
      } catch (error) {
        throw source.failed() && !signal.aborted ? source.error() : error;
      }
    },
    download: (key, options) => {
      const { signal } = options;
      return run('read', key, signal, async () => {
        await prepare();
        const chunks = await readFile(root, filePath(root, key), options);
        return translated(chunks, (error) =>
          signal.aborted
            ? cancelled(signal, `read ${key}`)
            : volumeFailure(error, { operation: 'read', path: key, claimName }),
        );
      });
    },
    get: (key, { signal }) =>
      run('read', key, signal, async () => {
        await prepare();
        return readSmallFile(root, filePath(root, key));
      }),
    head: (key, { signal }) =>
      run('look up', key, signal, async () => {
        await prepare();
        return sizeOf(filePath(root, key));
      }),
    async *list(prefix, { signal }) {
      await run('list', prefix, signal, prepare);
      yield* listing(listFiles(folderPath(root, prefix), prefix), prefix, signal);
    },
    async *listFolders(prefix, { signal }) {
      await run('list', prefix, signal, prepare);
      yield* listing(listSubfolders(folderPath(root, prefix)), prefix, signal);
    },
    async delete(keys, { signal }) {
      for (const key of keys) await run('delete', key, signal, () => remove(root, filePath(root, key)));
    },
    sweepUnfinished: (prefix, before, { signal }) =>
      run('sweep', prefix, signal, () => removeTemporaries(folderPath(root, prefix), before)),
    close: async () => undefined,
  };
}

/** The mount must be there: a folder made in its place would be lost with the pod. */
async function prepareRoot(mount: string, root: string, claimName: string): Promise<void> {
  try {
    await stat(mount);
  } catch (error) {
    if (!isCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw terminal(
      'VolumeMissing',
      `The volume of the claim ${claimName} is not mounted in this pod (${mount} is missing). Look whether the claim exists in this namespace and is bound.`,
      error,
    );
  }
  try {
    await mkdir(root, { recursive: true });
  } catch (error) {
    // A read-only volume may hold the folder already, or none at all: then there is nothing in it.
    if (!isCode(error, 'EROFS', 'EACCES', 'EPERM') || !(await exists(root))) throw error;
  }
}

async function remove(root: string, file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (!isCode(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
  await prune(root, dirname(file));
}

async function sizeOf(file: string): Promise<{ readonly size: number; readonly lastModified: Date } | undefined> {
  try {
    const found = await lstat(file);
    return found.isFile() ? { size: found.size, lastModified: found.mtime } : undefined;
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}

function objectExists(key: string, claimName: string): Failure {
  return terminal(
    'ObjectExists',
    `${key} on the volume of ${claimName} is already there, and nothing is ever overwritten. Look who else writes there.`,
  );
}

function cancelled({ reason }: AbortSignal, what: string): Failure {
  return reason instanceof Failure ? reason : transient('Cancelled', `Stopped before it could ${what}.`, reason);
}

/** Keeps a failure of the source apart from one of the file system: the source's goes to the caller as it is. */
function tellApart(source: AsyncIterable<Buffer>) {
  const failures: unknown[] = [];
  async function* stream() {
    try {
      yield* source;
    } catch (error) {
      failures.push(error);
      throw error;
    }
  }
  return { stream: stream(), failed: () => failures.length > 0, error: () => failures[0] };
}

async function* endedBy<Item>(items: AsyncIterable<Item>, signal: AbortSignal): AsyncGenerator<Item, void, void> {
  for await (const item of items) {
    signal.throwIfAborted();
    yield item;
  }
}

async function* translated<Item>(
  source: AsyncIterable<Item>,
  translate: (error: unknown) => Failure,
): AsyncGenerator<Item, void, void> {
  try {
    yield* source;
  } catch (error) {
    throw translate(error);
  }
}
