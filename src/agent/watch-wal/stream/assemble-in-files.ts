import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure, transient } from '../../../domain/failure.ts';
import { segmentNameAt } from '../../../domain/wal/file-name.ts';
import type { Lsn } from '../../../domain/wal/lsn.ts';
import { type Scanning, scanInPieces, segmentHeaderBytes } from '../../../domain/wal/read-segment.ts';
import { exactly, type LargeWal } from '../../../repository/large-wal.ts';
import { fileInPieces } from '../../../stream/file-in-pieces.ts';
import type { Assembled, Assembly } from './assemble.ts';

interface Open {
  readonly path: string;
  readonly descriptor: number;
  readonly scanning: Scanning;
  head: Buffer;
}

interface FileContent extends LargeWal {
  readonly path: string;
}

const pieceSize = 1024 ** 2;
const prefix = `tidemark-wal-${process.pid}-`;
let folders = 0;

/** As assembleSegments(), of segments that are too large for the memory. They lie in the pod's temporary folder until they are stored. */
export function assembleInFiles(start: Lsn, segmentSize: number, timeline: number): Assembly {
  const folder = makeFolder();
  let position = start;
  let present: Open | undefined;
  const offsetOf = (lsn: Lsn) => Number(lsn % BigInt(segmentSize));
  const assembled = ({ path, head }: Open, begin: Lsn): Assembled => {
    const content: FileContent = { path, read: () => exactly(fileInPieces(path, pieceSize), segmentSize, path) };
    return { begin, content, head, size: segmentSize };
  };
  const begin = (): Open => {
    const name = segmentNameAt(timeline, position, segmentSize);
    const path = join(folder, name);
    return { path, descriptor: openSync(path, 'w', 0o600), scanning: scanInPieces(name), head: Buffer.alloc(0) };
  };
  const write = (to: Open, data: Buffer, offset: number) => {
    for (let written = 0; written < data.length; )
      written += writeSync(to.descriptor, data, written, data.length - written, offset + written);
    if (to.head.length < segmentHeaderBytes)
      to.head = Buffer.concat([to.head, data.subarray(0, segmentHeaderBytes - to.head.length)]);
    to.scanning.push(data);
  };
  return {
    position: () => position,
    add(at, data) {
      if (at !== position) throw new RangeError(`WAL from ${at} follows WAL up to ${position}`);
      const complete: Assembled[] = [];
      for (let read = 0; read < data.length; ) {
        const offset = offsetOf(position);
        const piece = data.subarray(read, Math.min(data.length, read + segmentSize - offset));
        present = told(() => {
          const to = present ?? begin();
          write(to, piece, offset);
          return to;
        });
        read += piece.length;
        position += BigInt(piece.length);
        if (offset + piece.length < segmentSize) continue;
        closeSync(present.descriptor);
        complete.push(assembled(present, position - BigInt(segmentSize)));
        present = undefined;
      }
      return complete;
    },
    tail() {
      const length = offsetOf(position);
      if (present === undefined) return undefined;
      ftruncateSync(present.descriptor, segmentSize);
      return { ...assembled(present, position - BigInt(length)), length };
    },
    holdsCommit: () =>
      present !== undefined &&
      present.head.length >= segmentHeaderBytes &&
      present.scanning.facts().lastCommitTime !== undefined,
    reuse(content) {
      if (!Buffer.isBuffer(content) && 'path' in content && typeof content.path === 'string')
        rmSync(content.path, { force: true });
    },
    close() {
      if (present !== undefined) closeSync(present.descriptor);
      present = undefined;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a process of this number has left was killed: a container's processes have the same one every time. */
function makeFolder(): string {
  return told(() => {
    const root = tmpdir();
    if (folders === 0)
      for (const name of readdirSync(root))
        if (name.startsWith(prefix)) rmSync(join(root, name), { recursive: true, force: true });
    folders += 1;
    const folder = join(root, `${prefix}${folders}`);
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  });
}

function told<Result>(act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    if (error instanceof Failure || error instanceof RangeError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw transient(
      'TemporaryFolderFull',
      `A WAL segment cannot be written to the pod's temporary folder (${why}). Segments of more than 64 MiB lie there until they are stored, two at a time. Make room on the node, and look at the limits for ephemeral storage.`,
      error,
    );
  }
}
