import { constants, createZstdCompress, gunzip, gzip, zstdDecompress } from 'node:zlib';
import { Failure, terminal, transient } from '../domain/failure.ts';
import { type Compression, compressor } from '../stream/compress.ts';
import { inOnePiece } from '../stream/in-one-piece.ts';
import { packedWith, packedWithLength } from '../stream/packed-with.ts';
import { peek } from '../stream/peek.ts';
import { runPipeline, type Stage } from '../stream/pipeline.ts';
import { StageFailed } from '../stream/stage-failed.ts';
import { unpacked } from '../stream/unpack.ts';
import { TrailingBytes } from '../stream/unpack-inside.ts';
import { compareWith, type WalContent } from './large-wal.ts';
import type { Stored } from './stored-wal.ts';
import { contentSize } from './zstd-header.ts';

/** Bytes that a thread hands over at once; the default of 16 KiB has it wait for the main thread a thousand times. */
const chunkSize = 1024 ** 2;
/** A segment is 1 GiB at most. */
const largest = 1024 ** 3;
/** A server waits for its WAL: the quickest of each. */
const defaultLevel = 1;
const smallestFreed = 1024 ** 2;

/**
 * In threads of their own (lz4, which Node does not have, in a process), with a checksum of the content, so that a flipped
 * bit is found when it is read. That is why `none` is gzip without compression: replay takes a record that is damaged for
 * the end of the WAL.
 */
export async function pack(content: Buffer, { algorithm, level }: Compression, signal: AbortSignal): Promise<Buffer> {
  switch (algorithm) {
    case 'zstd':
      return await zstd(content, level ?? defaultLevel);
    case 'gzip':
      return await called((done) => gzip(content, { level: level ?? defaultLevel, chunkSize }, done));
    case 'none':
      return await called((done) => gzip(content, { level: constants.Z_NO_COMPRESSION, chunkSize }, done));
    case 'lz4':
      return await lz4(content, level ?? defaultLevel, signal);
  }
}

/**
 * Told at the first write that this is all, and with room for whatever comes of it, zstd packs the content where it lies and
 * in one go; zstdCompress() tells it too late, and it packs a copy, piece by piece, which takes a fifth longer and more
 * memory.
 */
function zstd(content: Buffer, level: number): Promise<Buffer> {
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
export async function unpack(stored: Stored, where: string, signal: AbortSignal): Promise<Buffer> {
  try {
    return await unpackAny(stored, signal);
  } catch (error) {
    if (!isDamage(error, signal)) throw unusable(error, signal);
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

/** Whether this content was packed, with whatever it was. What cannot be unpacked is not the same. */
export async function isPacked(stored: Stored, content: WalContent, signal: AbortSignal): Promise<boolean> {
  const comparison = compareWith(content);
  try {
    let same = true;
    for await (const piece of unpackPieces(stored, signal)) same &&= await comparison.isNext(piece);
    return same && (await comparison.isAtEnd());
  } catch (error) {
    if (!isDamage(error, signal)) throw unusable(error, signal);
    return false;
  } finally {
    await comparison.close();
  }
}

/** What was packed, as it comes; ends with what unpack() rejects with. */
export async function* unpackStream(
  stored: Stored,
  where: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  try {
    yield* unpackPieces(stored, signal);
  } catch (error) {
    if (!isDamage(error, signal)) throw unusable(error, signal);
    throw damagedWal(where, error.message, error);
  }
}

/** As pack() does, of what is too large for the memory: in a process, with a checksum as well. */
export function packer({ algorithm, level }: Compression): Stage {
  if (algorithm === 'none') return { command: 'pigz', args: ['-q', '-c', '-p', '1', '-0'] };
  // Of one thread: several would each hold megabytes of it.
  if (algorithm === 'zstd') return { command: 'zstd', args: ['-q', '-c', '-T1', `-${level ?? defaultLevel}`] };
  const stage = compressor({ algorithm, level: level ?? defaultLevel });
  if (stage === undefined) throw new Error(`${algorithm} does not pack`);
  return stage;
}

async function unpackAny(stored: Stored, signal: AbortSignal): Promise<Buffer> {
  if (Buffer.isBuffer(stored)) {
    const whole = unpackWhole(stored);
    if (whole !== undefined) return await whole;
  }
  let content: Buffer = Buffer.alloc(0);
  let length = 0;
  for await (const piece of unpackPieces(stored, signal)) {
    // In place: what comes in pieces is large, and is not to be held twice.
    if (length + piece.length > content.length) content = grown(content, length + piece.length);
    piece.copy(content, length);
    length += piece.length;
  }
  return content.subarray(0, length);
}

/** undefined where a process has to do it. */
function unpackWhole(stored: Buffer): Promise<Buffer> | undefined {
  const algorithm = packedWith(stored);
  if (algorithm !== 'zstd' && algorithm !== 'gzip') return undefined;
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, result: Buffer) => {
      if (error !== null) return reject(error);
      // With `info` it is this, of which the types do not know.
      const { buffer, engine } = result as unknown as { readonly buffer: Buffer; readonly engine: Counting };
      if (engine.bytesWritten === stored.length) resolve(buffer);
      else reject(new TrailingBytes());
    };
    const options = { maxOutputLength: largest, chunkSize: roomIn(stored, algorithm), info: true };
    if (algorithm === 'zstd') zstdDecompress(stored, options, done);
    else gunzip(stored, options, done);
  });
}

/** With room for all of it, zstd unpacks into the place where it stays. */
function roomIn(stored: Buffer, algorithm: 'zstd' | 'gzip'): number {
  const size = algorithm === 'zstd' ? contentSize(stored) : undefined;
  return size === undefined || size > largest ? chunkSize : Math.max(size + 1, 1024);
}

/** What has unpacked, and how many bytes it has taken for that. */
interface Counting {
  readonly bytesWritten: number;
}

/** Segments have a power of two, so the last growth as a rule is the right one. */
function grown(content: Buffer, least: number): Buffer {
  const size = 2 ** Math.ceil(Math.log2(least));
  const larger = Buffer.allocUnsafeSlow(Math.max(size, 64 * chunkSize));
  content.copy(larger);
  return larger;
}

async function* unpackPieces(stored: Stored, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  const { head, stream } = await peek(Buffer.isBuffer(stored) ? inOnePiece(stored) : stored, packedWithLength);
  const algorithm = packedWith(head);
  if (algorithm === undefined) throw new RangeError('it is packed with neither zstd nor gzip nor lz4');
  let length = 0;
  for await (const piece of unpacked({ algorithm }, stream, signal)) {
    length += piece.length;
    if (length > largest) throw new RangeError('it is larger than a segment can be');
    yield piece;
  }
}

async function lz4(content: Buffer, level: number, signal: AbortSignal): Promise<Buffer> {
  const stages = [compressor({ algorithm: 'lz4', level })].filter((stage) => stage !== undefined);
  const parts: Buffer[] = [];
  for await (const part of runPipeline(stages, { signal, input: inOnePiece(content) }).output) parts.push(part);
  return Buffer.concat(parts);
}

/** Whether it is for what was stored that it cannot be unpacked. */
function isDamage(error: unknown, signal: AbortSignal): error is Error {
  if (signal.aborted || error instanceof Failure || !(error instanceof Error)) return false;
  return !(error instanceof StageFailed) || error.exitCode !== undefined;
}

/** A process that is not there or was killed says nothing of what it was given. */
function unusable(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted || !(error instanceof StageFailed)) return error;
  return transient('OutOfMemory', `${error.message}. If it stays so, give the pod more memory.`, error);
}

function called<Result>(call: (done: (error: Error | null, result: Result) => void) => unknown): Promise<Result> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error === null ? resolve(result) : reject(error)));
  });
}
