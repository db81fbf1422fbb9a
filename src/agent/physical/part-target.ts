const mebibyte = 1024 ** 2;
/** A recovery holds some of them in memory. */
const largest = 32 * mebibyte;
const smallest = 8 * mebibyte;
const wanted = 64;

/** Bytes of a part of a packed stream, for a database of this size before it is packed. */
export function partTarget(total: number): number {
  return Math.min(largest, Math.max(smallest, Math.ceil(total / wanted)));
}
