/** A generator of numbers that a seed tells, so that every input can be made again (mulberry32). */
export interface Random {
  /** 0 to 2^32 - 1. */
  next(): number;
  below(limit: number): number;
  chance(oneIn: number): boolean;
  pick<Item>(items: readonly [Item, ...Item[]]): Item;
}

export function seeded(...parts: readonly (string | number)[]): Random {
  let state = hashOf(parts.join('/'));
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
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
