import { expect } from 'vitest';
import type { CrashPoints, Run, Work } from './crash-points.ts';
import { type Random, randomFrom } from './random.ts';
import { spread } from './spread.ts';

/** One world in which one task is done once. */
export interface Prepared {
  readonly work: Work;
  /** What must hold whenever somebody looks, also while the agent lies dead. */
  readonly always?: () => Promise<void>;
  /** Of the second try: a refusal that is right, since the first had done it all and only not said so. */
  readonly refusal?: string;
  /** What is to be the same in the end wherever it was killed. */
  readonly state: () => Promise<unknown>;
  readonly remove: () => Promise<void>;
}

/**
 * Does a task once undisturbed, which numbers its points, and then once for each chosen point in a world of its own: killed
 * there, and then done again as its Job would.
 */
export async function killEverywhere(
  name: string,
  {
    crash,
    prepare,
    seed,
    around,
  }: {
    readonly crash: CrashPoints;
    readonly prepare: () => Promise<Prepared>;
    readonly seed: number;
    readonly around?: RegExp;
  },
): Promise<void> {
  const random: Random = randomFrom(seed);
  const calm = await inWorld(prepare, async ({ work, always, state }) => {
    const run = await crash.run(work);
    expectDone(run, name);
    await always?.();
    return { points: run.points, state: await state() };
  });
  let kills = 0;
  for (const killAt of spread(calm.points, random, around)) {
    const where = `seed ${seed}, killed at ${killAt} of ${calm.points.length}: ${calm.points[killAt]}`;
    await inWorld(prepare, async ({ work, always, state, refusal }) => {
      const first = await crash.run({ ...work, killAt });
      if (first.killed) kills += 1;
      await always?.();
      const second = await crash.run({ ...work, pod: 'pod-2' });
      if (refusal === undefined || second.failure?.reason !== refusal) expectDone(second, where);
      await always?.();
      expect(await state(), where).toEqual(calm.state);
    });
  }
  // Pieces of one statement may come together, so that now and then a run has fewer points than the first.
  expect(kills).toBeGreaterThan(1);
  process.stdout.write(`${name}: ${calm.points.length} points, killed at ${kills}\n`);
}

async function inWorld<T>(prepare: () => Promise<Prepared>, act: (world: Prepared) => Promise<T>): Promise<T> {
  const world = await prepare();
  try {
    return await act(world);
  } finally {
    await world.remove();
  }
}

function expectDone({ failure, outcome, killed }: Run, where: string): void {
  expect(killed, where).toBe(false);
  expect(failure, where).toBeUndefined();
  expect(outcome, where).toBeDefined();
}
