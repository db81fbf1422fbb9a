export interface RechunkOptions {
  /** How many bytes the buffer of this index (from 0) is to hold: a positive integer. */
  readonly sizeOf: (index: number) => number;
  /** A buffer of exactly that many bytes, to be overwritten; waits while memory is short. */
  readonly take: (size: number) => Buffer | Promise<Buffer>;
  /** Gets a taken buffer back that was not handed on. */
  readonly give?: (buffer: Buffer) => void;
}

/** One part: `bytes` is the filled beginning of `buffer`, whole in every part but the last. */
export interface Part {
  readonly index: number;
  readonly bytes: Buffer;
  readonly buffer: Buffer;
}

/**
 * Cuts a stream into parts of exact sizes, copied into buffers of the caller, so that a small chunk never keeps a large
 * slab of memory alive. An empty stream yields nothing.
 */
export async function* rechunk(
  source: AsyncIterable<Buffer>,
  { sizeOf, take, give }: RechunkOptions,
): AsyncGenerator<Part, void, void> {
  let index = 0;
  let buffer: Buffer | undefined;
  let filled = 0;
  try {
    for await (const chunk of source) {
      for (let offset = 0; offset < chunk.length; ) {
        buffer ??= await take(sizeOf(index));
        const copied = chunk.copy(buffer, filled, offset);
        offset += copied;
        filled += copied;
        if (filled < buffer.length) continue;
        const full = { index, bytes: buffer, buffer };
        index += 1;
        filled = 0;
        buffer = undefined;
        yield full;
      }
    }
    if (buffer === undefined) return;
    const last = { index, bytes: buffer.subarray(0, filled), buffer };
    buffer = undefined;
    yield last;
  } finally {
    if (buffer !== undefined) give?.(buffer);
  }
}
