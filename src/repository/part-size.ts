const mebibyte = 1024 ** 2;

/** S3's own bound. */
export const maxParts = 10_000;

interface Tier {
  /** The number of the first part that is no longer of this size, counted from 0. */
  readonly until: number;
  readonly size: number;
  /** What the parts being filled and sent may take together. */
  readonly memory: number;
}

/**
 * Parts grow with the stream, whose length nobody knows beforehand: 16 MiB keeps four requests busy in 64 MiB of memory;
 * 128 MiB for 1 TB in 10,000 parts and 128 MiB of memory; the last step reaches 1.3 TiB, at the price of more memory.
 */
const tiers: readonly Tier[] = [
  { until: 1000, size: 16 * mebibyte, memory: 64 * mebibyte },
  { until: 2500, size: 64 * mebibyte, memory: 128 * mebibyte },
  { until: 9200, size: 128 * mebibyte, memory: 128 * mebibyte },
  { until: maxParts, size: 512 * mebibyte, memory: 512 * mebibyte },
];

/** Bytes of the part with this index (from 0); undefined where S3 takes no more parts. */
export function partSize(index: number): number | undefined {
  return tiers.find(({ until }) => index < until)?.size;
}

/** How many bytes may be taken by parts at once while parts of this size are filled. */
export function memoryFor(size: number): number {
  return tiers.find((tier) => tier.size >= size)?.memory ?? size;
}

/** The longest stream that fits into one object. */
export function maxObjectSize(): number {
  return tiers.reduce((sum, { until, size }, index) => sum + (until - (tiers[index - 1]?.until ?? 0)) * size, 0);
}
