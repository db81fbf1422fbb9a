import type { Compression } from '../../../stream/compress.ts';
import { unpackedFile } from '../../../stream/unpacked-file.ts';
import type { Range, Script } from './read-script.ts';

/** A script that lies packed in scratch, unpacked from its begin to its end. */
export interface ScriptBytes {
  /** The ranges follow one another. A piece's memory is its own only until the next one is asked for. Who needs no more may leave. */
  read(range: Range): AsyncGenerator<Buffer, void, void>;
  /** Reads what is left; rejects where it is not the script that was read before. */
  end(): Promise<void>;
  close(): Promise<void>;
}

export function openScript(
  path: string,
  {
    script: { size },
    compression,
    signal,
  }: {
    readonly script: Pick<Script, 'size'>;
    readonly compression: Compression;
    readonly signal: AbortSignal;
  },
): ScriptBytes {
  const pieces = unpackedFile(path, compression, signal);
  let piece: Buffer = Buffer.alloc(0);
  let start = 0;
  const advance = async (): Promise<boolean> => {
    // Its memory goes with the next one.
    start += piece.length;
    piece = Buffer.alloc(0);
    const next = await pieces.next();
    if (next.done === true) return false;
    piece = next.value;
    return true;
  };
  return {
    async *read(range) {
      if (range.start < start) throw new Error(`${path} is read from byte ${range.start} of the script again`);
      while (start < range.end) {
        const part = piece.subarray(Math.max(0, range.start - start), range.end - start);
        if (part.length > 0) yield part;
        if (start + piece.length >= range.end) return;
        if (!(await advance())) throw new Error(`${path} ends before byte ${range.end} of the script`);
      }
    },
    async end() {
      while (await advance());
      const found = start + piece.length;
      if (found !== size) throw new Error(`${path} holds ${found} bytes of a script of ${size}`);
    },
    async close() {
      await pieces.return();
    },
  };
}
