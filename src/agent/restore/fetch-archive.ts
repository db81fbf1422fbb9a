import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeName } from '../../domain/layout.ts';
import type { ManifestDatabase, StoredObject } from '../../domain/manifest.ts';
import { writeWhole } from '../../stream/write-whole.ts';
import { workThrough } from '../work-through.ts';
import { type BackupFolder, corrupted, type FetchOptions, fetchObject } from './fetch-object.ts';
import { unpackTar } from './unpack-tar.ts';
import { wholeTar } from './whole-tar.ts';

/** Chunks of a Directory dump at a time. */
const concurrency = 2;

/**
 * Brings a dump for pg_restore into scratch, unpacked, so that it can seek in it, and nothing is run of one that is damaged. Every stored byte has then been
 * checked against the manifest; a terminal CorruptedBackup names the object that is not as it was stored.
 */
export async function fetchArchive(
  from: BackupFolder,
  database: ManifestDatabase,
  options: FetchOptions,
): Promise<string> {
  const place = placeOf(database, options);
  if (database.format !== 'Directory') {
    await fetchFile(from, database, place, options);
    return place;
  }
  await mkdir(place, { mode: 0o700 });
  await fetchChunks(from, database.objects, place, options);
  if (!(await readdir(place)).includes('toc.dat')) {
    throw corrupted(`the dump of database ${database.name} in ${from.path} holds no toc.dat`);
  }
  return place;
}

/** Where in scratch a database's dump comes to lie. */
export function placeOf({ name }: ManifestDatabase, { scratch }: Pick<FetchOptions, 'scratch'>): string {
  return join(scratch, encodeName(name).replaceAll('%', '_'));
}

/** Of a dump in any format but Directory. */
export function onlyObject({ format, objects: [object] }: ManifestDatabase): StoredObject {
  if (object === undefined) throw new Error(`a ${format} dump without an object`);
  return object;
}

function fetchFile(
  from: BackupFolder,
  database: ManifestDatabase,
  place: string,
  options: FetchOptions,
): Promise<void> {
  return fetchObject(from, onlyObject(database), options, async (bytes, signal, memory) => {
    const file = await open(place, 'w', 0o600);
    try {
      for await (const piece of database.format === 'Tar' ? wholeTar(bytes, database.name) : bytes) {
        signal.throwIfAborted();
        memory?.sent(piece);
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
