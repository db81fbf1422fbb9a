const mebibyte = 1024 ** 2;
const largest = 256 * mebibyte;
const smallest = 16 * mebibyte;
/** Enough for a parallel recovery. */
const wanted = 16;

/** Bytes of a chunk before it is packed, for a database of this size. */
export function chunkTarget(total: number): number {
  return Math.min(largest, Math.max(smallest, Math.ceil(total / wanted)));
}
