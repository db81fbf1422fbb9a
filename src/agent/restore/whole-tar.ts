import { endOfTar, tarBlock } from '../../stream/tar.ts';
import { corrupted } from './fetch-object.ts';

/**
 * Passes a dump in Tar format on, and throws a terminal CorruptedBackup in place of an end that is not the tar's, which
 * pg_dump always writes: pg_restore would take it for the end of the last rows, and exit with 0. `database` is for messages.
 */
export async function* wholeTar(tar: AsyncIterable<Buffer>, database: string): AsyncGenerator<Buffer, void, void> {
  let end = Buffer.alloc(0);
  let length = 0;
  for await (const piece of tar) {
    // Concatenated, it is a copy: whoever has the piece next may use its memory again.
    end = Buffer.concat([end, piece.subarray(-endOfTar.length)]).subarray(-endOfTar.length);
    length += piece.length;
    yield piece;
  }
  if (length % tarBlock !== 0 || !end.equals(endOfTar))
    throw corrupted(`the dump of database ${database} is a tar that is cut short`);
}
