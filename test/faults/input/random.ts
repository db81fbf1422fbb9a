import { mulberry32 } from '../../support/faults/random.ts';

/** A generator of numbers that a seed tells, so that every input can be made again. */
export interface Random {
  /** 0 to 2^32 - 1. */
  next(): number;
  below(limit: number): number;
  chance(oneIn: number): boolean;
  pick<Item>(items: readonly [Item, ...Item[]]): Item;
}

export function seeded(...parts: readonly (string | number)[]): Random {
  const next = mulberry32(hashOf(parts.join('/')));
  const below = (limit: number) => (limit <= 0 ? 0 : next() % limit);
  return {
    next,
    below,
    chance: (oneIn) => below(oneIn) === 0,
    pick: (items) => items[below(items.length)] ?? items[0],
  };
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
