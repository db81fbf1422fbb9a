import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeName } from '../../domain/layout.ts';
import type { ManifestDatabase, StoredObject } from '../../domain/manifest.ts';
import { writeWhole } from '../../stream/write-whole.ts';
import { workThrough } from '../work-through.ts';
import { type BackupFolder, corrupted, type FetchOptions, fetchObject } from './fetch-object.ts';
import { unpackTar } from './unpack-tar.ts';

/** Chunks of a Directory dump at a time. */
const concurrency = 2;

/** Told of the dump piece by piece, in order, while it is fetched: of an attempt that fails, and of the next from its beginning. */
export type Follow = () => (piece: Buffer) => void;

/**
 * Brings a database's dump into scratch, unpacked, so that pg_restore can seek in it, and nothing is run of one that is damaged. Every stored byte has then been
 * checked against the manifest; a terminal CorruptedBackup names the object that is not as it was stored. `follow` is told of a dump that is one
 * object; the memory of a piece is its own only until it returns.
 */
export async function fetchArchive(
  from: BackupFolder,
  database: ManifestDatabase,
  options: FetchOptions & { readonly follow?: Follow },
): Promise<string> {
  const place = join(options.scratch, encodeName(database.name).replaceAll('%', '_'));
  if (database.format !== 'Directory') {
    const [object] = database.objects;
    if (object === undefined) throw new Error(`a ${database.format} dump without an object`);
    await fetchFile(from, object, place, options);
    return place;
  }
  await mkdir(place, { mode: 0o700 });
  await fetchChunks(from, database.objects, place, options);
  if (!(await readdir(place)).includes('toc.dat')) {
    throw corrupted(`the dump of database ${database.name} in ${from.path} holds no toc.dat`);
  }
  return place;
}

function fetchFile(
  from: BackupFolder,
  object: StoredObject,
  place: string,
  { follow, ...options }: FetchOptions & { readonly follow?: Follow },
): Promise<void> {
  return fetchObject(from, object, options, async (bytes, signal, memory) => {
    const see = follow?.();
    const file = await open(place, 'w', 0o600);
    try {
      for await (const piece of bytes) {
        signal.throwIfAborted();
        memory?.sent(piece);
        see?.(piece);
        await writeWhole(file, piece);
        memory?.arrived(piece);
      }
    } finally {
      await file.close();
    }
  });
}

async function fetchChunks(
  from: BackupFolder,
  objects: readonly StoredObject[],
  folder: string,
  options: FetchOptions,
): Promise<void> {
  await workThrough(objects, { beside: concurrency, signal: options.signal }, (object, either) =>
    fetchObject(from, object, { ...options, signal: either }, (bytes, signal, memory) =>
      unpackTar(bytes, folder, signal, memory),
    ),
  );
}

/** A small object whole, such as globals. */
export async function fetchText(from: BackupFolder, object: StoredObject, signal: AbortSignal): Promise<string> {
  const parts: Buffer[] = [];
  await fetchObject(from, object, { signal, onBytes: () => undefined }, async (bytes) => {
    // Of an attempt before, that was damaged.
    parts.length = 0;
    for await (const part of bytes) parts.push(part);
  });
  return Buffer.concat(parts).toString('utf8');
}
