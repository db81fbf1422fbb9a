import { open } from 'node:fs/promises';
import type { ManifestDatabase } from '../../../domain/manifest.ts';
import { readAlong } from '../../../stream/read-along.ts';
import { writeWhole } from '../../../stream/write-whole.ts';
import { onlyObject, placeOf } from '../fetch-archive.ts';
import { type BackupFolder, type FetchOptions, fetchPacked } from '../fetch-object.ts';
import { createScriptReader, type Script } from './read-script.ts';

/**
 * Brings a Plain dump into scratch, packed as it was stored, and reads it through on its way: before psql gets a line, every stored
 * byte has been checked against the manifest, and the script has been read to its end. psql reads from its begin to its end, so that it can be unpacked again for it
 * (script-bytes.ts): that is less work than to write the script to a disk and to read it from there, and takes a tenth of the room.
 */
export async function fetchScript(
  from: BackupFolder,
  database: ManifestDatabase,
  options: FetchOptions,
): Promise<{ readonly dump: string; readonly archive: Script }> {
  const place = placeOf(database, options);
  let reader = createScriptReader(database.name);
  await fetchPacked(from, onlyObject(database), options, async (packed, signal) => {
    const { push, end } = createScriptReader(database.name);
    reader = { push, end };
    async function* read(script: AsyncIterable<Buffer>) {
      for await (const piece of script) {
        push(piece);
        yield piece;
      }
    }
    const file = await open(place, 'w', 0o600);
    try {
      for await (const piece of readAlong(packed, from.compression, read, signal)) await writeWhole(file, piece);
    } finally {
      await file.close();
    }
  });
  return { dump: place, archive: reader.end() };
}
