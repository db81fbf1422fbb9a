import { open } from 'node:fs/promises';
import type { ManifestDatabase } from '../../domain/manifest.ts';
import { readAlong } from '../../stream/read-along.ts';
import { writeWhole } from '../../stream/write-whole.ts';
import { onlyObject, placeOf } from './fetch-archive.ts';
import { type BackupFolder, type FetchOptions, fetchPacked } from './fetch-object.ts';

/** Reads a dump once, from its begin, as it passes by. */
export interface PassingReader<Contents> {
  /**
   * The next piece, whose memory is not kept; gives whether it wants more. What is wrong in it is told at the end:
   * until then it may be the bytes that are damaged.
   */
  push(piece: Buffer): boolean;
  /** Nothing follows, and what was pushed is what was stored. */
  end(): Contents;
}

/**
 * Brings a dump whose tool reads it from its begin to its end into scratch, packed as it was stored, and reads it on
 * its way: before the tool gets anything of it, every stored byte has been checked against the manifest. It is unpacked
 * again for the tool: that is less work than to write all of it to a disk and to read it from there, and takes a tenth
 * of the room.
 */
export async function fetchPackedDump<Contents>(
  from: BackupFolder,
  database: ManifestDatabase,
  options: FetchOptions,
  createReader: (database: string) => PassingReader<Contents>,
): Promise<{ readonly dump: string; readonly archive: Contents }> {
  const place = `${placeOf(database, options)}.packed`;
  let reader = createReader(database.name);
  await fetchPacked(from, onlyObject(database), options, async (packed, signal) => {
    // Of this attempt: what another one has read was damaged.
    const passing = createReader(database.name);
    reader = passing;
    async function* read(pieces: AsyncIterable<Buffer>) {
      for await (const piece of pieces) {
        if (!passing.push(piece)) return;
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
