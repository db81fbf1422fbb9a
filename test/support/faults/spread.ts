import { bounded } from '../faults.ts';
import type { Random } from './random.ts';

/** Which of so many numbered points: all of them in full, else the last, those around what matters, and one by chance. */
export function spread(points: readonly string[], random: Random, around = /manifest\.json/): readonly number[] {
  const all = points.map((_, number) => number);
  if (bounded(0, 1) === 1) return all;
  const matters = all.filter((number) => around.test(points[number] ?? ''));
  const chosen = [matters[0] ?? 0, matters.at(-1), points.length - 1, random.below(points.length)];
  return [...new Set(chosen.filter((number) => number !== undefined))].sort((one, other) => one - other);
}
