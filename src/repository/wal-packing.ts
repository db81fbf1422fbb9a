import { constants, createZstdCompress, zstdDecompress } from 'node:zlib';
import { Failure, terminal } from '../domain/failure.ts';
import { unzstd } from '../stream/unzstd.ts';
import type { Stored } from './stored-wal.ts';
import { contentSize } from './zstd-header.ts';

/** Bytes that a thread hands over at once; the default of 16 KiB has it wait for the main thread a thousand times. */
const chunkSize = 1024 ** 2;
/** A segment is 1 GiB at most. */
const largest = 1024 ** 3;
const smallestFreed = 1024 ** 2;

/**
 * In threads of their own, with the frame's checksum, so that a flipped bit is found when it is read. Told at the first
 * write that this is all, and with room for whatever comes of it, zstd packs the content where it lies and in one go;
 * zstdCompress() tells it too late, and it packs a copy, piece by piece, which takes a fifth longer and more memory.
 */
export function pack(content: Buffer, level: number): Promise<Buffer> {
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
  const packing = createZstdCompress({ params, flush: constants.ZSTD_e_end, chunkSize: roomFor(content.length) });
  const parts: Buffer[] = [];
  const take = () => {
    for (let part: Buffer | null = packing.read(); part !== null; part = packing.read()) parts.push(part);
  };
  return new Promise<Buffer>((resolve, reject) => {
    packing.on('error', reject);
    packing.on('readable', take);
    packing.write(content, (error) => {
      take();
      const [first, ...more] = parts;
      if (error != null || first === undefined) reject(error ?? new Error('zstd gave nothing'));
      else resolve(more.length === 0 ? first : Buffer.concat(parts));
    });
  }).finally(() => packing.destroy());
}

/**
 * Frees what pack() gave, which nobody may read any more. Left to the garbage collector, each segment's memory makes it
 * look through the whole heap every few segments, at a sixth of the processor's time.
 */
export function free(packed: Buffer): void {
  // What is smaller may lie in memory that Node shares among buffers.
  if (packed.buffer instanceof ArrayBuffer && packed.buffer.byteLength >= smallestFreed) packed.buffer.transfer(0);
}

/** At least ZSTD_compressBound(). Of what is not written to, no memory is taken. */
function roomFor(bytes: number): number {
  return bytes + Math.ceil(bytes / 256) + 1024;
}

/** What was packed; rejects with a terminal ChecksumMismatch where that cannot be told. `where`: for messages. */
export async function unpack(stored: Stored, where: string): Promise<Buffer> {
  try {
    return Buffer.isBuffer(stored) ? await unpackWhole(stored) : await unpackPieces(stored);
  } catch (error) {
    if (error instanceof Failure || !(error instanceof Error)) throw error;
    throw damagedWal(where, error.message, error);
  }
}

export function damagedWal(where: string, why: string, cause: unknown): Failure {
  return terminal(
    'ChecksumMismatch',
    `${where} is damaged (${why}): its WAL cannot be used. Recover to a moment before it, or bring the object back from a copy of the repository.`,
    cause,
  );
}

/** Whether this content was packed. What cannot be unpacked is not the same. */
export async function isPacked(stored: Stored, content: Buffer): Promise<boolean> {
  try {
    if (Buffer.isBuffer(stored)) return content.equals(await unpackWhole(stored));
    let at = 0;
    let same = true;
    await eachPiece(stored, (piece) => {
      const end = at + piece.length;
      same &&= end <= content.length && piece.equals(content.subarray(at, end));
      at = end;
    });
    return same && at === content.length;
  } catch (error) {
    if (error instanceof Failure) throw error;
    return false;
  }
}

/** With room for all of it, zstd unpacks into the place where it stays. */
function unpackWhole(stored: Buffer): Promise<Buffer> {
  const size = contentSize(stored);
  const room = size === undefined || size > largest ? chunkSize : Math.max(size + 1, 1024);
  return new Promise((resolve, reject) => {
    zstdDecompress(stored, { maxOutputLength: largest, chunkSize: room }, (error, content) =>
      error === null ? resolve(content) : reject(error),
    );
  });
}

async function unpackPieces(stored: AsyncIterable<Buffer>): Promise<Buffer> {
  let content: Buffer = Buffer.alloc(0);
  let length = 0;
  await eachPiece(stored, (piece) => {
    // In place: what comes in pieces is large, and is not to be held twice.
    if (length + piece.length > content.length) content = grown(content, length + piece.length);
    piece.copy(content, length);
    length += piece.length;
  });
  return content.subarray(0, length);
}

/** Segments have a power of two, so the last growth as a rule is the right one. */
function grown(content: Buffer, least: number): Buffer {
  const size = 2 ** Math.ceil(Math.log2(least));
  const larger = Buffer.allocUnsafeSlow(Math.max(size, 64 * chunkSize));
  content.copy(larger);
  return larger;
}

async function eachPiece(stored: AsyncIterable<Buffer>, take: (piece: Buffer) => void): Promise<void> {
  let length = 0;
  for await (const piece of unzstd(stored)) {
    length += piece.length;
    if (length > largest) throw new RangeError('it is larger than a segment can be');
    take(piece);
  }
}
