import { readFile, rm, writeFile } from 'node:fs/promises';
import type { Random } from '../../support/faults/random.ts';

/** What happens to one object. */
export interface Damage {
  readonly name: string;
  /** undefined: the object is gone. `other` is the same object of another backup. */
  readonly apply: (content: Buffer, other: Buffer | undefined, random: Random) => Buffer | undefined;
}

const flipAt = (place: (length: number, random: Random) => number) => (content: Buffer, _: unknown, random: Random) => {
  const copy = Buffer.from(content);
  const at = Math.min(copy.length - 1, place(copy.length, random));
  copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  return copy;
};

export const damages: readonly Damage[] = [
  { name: 'first byte', apply: flipAt(() => 0) },
  { name: 'a byte in the middle', apply: flipAt((length) => length >> 1) },
  { name: 'last byte', apply: flipAt((length) => length - 1) },
  { name: 'any byte', apply: flipAt((length, random) => random.below(length)) },
  { name: 'missing', apply: () => undefined },
  { name: 'empty', apply: () => Buffer.alloc(0) },
  { name: 'cut short', apply: (content) => content.subarray(0, content.length - 1 - (content.length >> 2)) },
  { name: 'longer', apply: (content) => Buffer.concat([content, Buffer.from('more')]) },
  { name: 'that of another backup', apply: (_, other) => other },
];

/** Damages a file for the time of a call; gives undefined where this damage is none to this file. */
export async function damaged<T>(
  file: string,
  damage: Damage,
  { other, random }: { readonly other?: string | undefined; readonly random: Random },
  act: () => Promise<T>,
): Promise<T | undefined> {
  const content = await readFile(file);
  const changed = damage.apply(content, other === undefined ? undefined : await readFile(other), random);
  if (changed === undefined ? damage.name !== 'missing' : changed.equals(content)) return undefined;
  try {
    // The owner and the rights stay, as the server's account reads it.
    if (changed === undefined) await rm(file);
    else await writeFile(file, changed);
    return await act();
  } finally {
    await writeFile(file, content);
  }
}
