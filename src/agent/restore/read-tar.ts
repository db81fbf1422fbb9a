import { type Archive, ArchiveCutShort } from './archive.ts';
import type { PassingReader } from './fetch-packed.ts';
import { firstRead, readStartOfTar, unreadable } from './read-archive.ts';

/** The table of contents of a dump in Tar format that passes by; `database` is for messages. */
export function createTarReader(database: string): PassingReader<Archive> {
  let parts: Buffer[] = [];
  let length = 0;
  /** As many bytes are worth a look. */
  let enough = firstRead;
  let archive: Archive | undefined;
  let fault: unknown;
  const wantsMore = () => enough < Number.POSITIVE_INFINITY;
  const look = () => {
    const start = Buffer.concat(parts);
    parts = [start];
    enough *= 4;
    try {
      archive = readStartOfTar(start, database);
    } catch (error) {
      fault = error;
      if (error instanceof ArchiveCutShort) return;
    }
    parts = [];
    enough = Number.POSITIVE_INFINITY;
  };
  return {
    push(piece) {
      if (!wantsMore()) return false;
      parts.push(Buffer.from(piece));
      length += piece.length;
      if (length >= enough) look();
      return wantsMore();
    },
    end() {
      if (wantsMore()) look();
      if (archive === undefined) throw unreadable(fault, database);
      return archive;
    },
  };
}
