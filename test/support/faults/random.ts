import { bounded } from '../faults.ts';

/** The same numbers for the same seed: a schedule that failed can be had again. */
export interface Random {
  /** In [0, 1). */
  readonly next: () => number;
  /** In [0, end). */
  readonly below: (end: number) => number;
  readonly pick: <T>(from: readonly [T, ...T[]]) => T;
}

/** Numbers of 32 bits, the same for the same seed. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

export function randomFrom(seed: number): Random {
  const numbers = mulberry32(seed);
  const next = () => numbers() / 2 ** 32;
  const below = (end: number) => Math.floor(next() * end);
  return { next, below, pick: (from) => from[below(from.length)] ?? from[0] };
}

/**
 * To be printed with a failure. In full it is from the clock, unless TIDEMARK_SEED says another; what stands before every
 * change is the same each time.
 */
export function chooseSeed(): number {
  const given = process.env.TIDEMARK_SEED;
  return given === undefined ? bounded(20_261_121, Date.now() % 2 ** 31) : Number(given);
}
