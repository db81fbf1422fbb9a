import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { bounded } from '../../support/faults.ts';
import { type Defect, defectOf, inputOf, type Told } from './fuzz-worker.ts';
import { corpusRoot } from './target.ts';
import { targets } from './targets/all.ts';

const total = bounded(30_000, 1_000_000);
/** Another one finds other faults: TIDEMARK_FUZZ_SEED=… npm run faults. */
const seed = process.env.TIDEMARK_FUZZ_SEED ?? 'tidemark';
/** Milliseconds that one input may take, on a machine that others use as well. */
const longest = 60_000;
/** Bytes that the process may have grown by in the end: what is kept of a million inputs would show. */
const growth = 1024 ** 3;

describe('what reads bytes and texts of others', () => {
  test.each(targets.map(({ name }) => name))('takes what real tools wrote: %s', async (name) => {
    const target = targets.find((each) => each.name === name);
    if (target === undefined) throw new Error(name);
    for (const original of target.corpus) {
      const said = await defectOf(target, original, original);
      expect(said === undefined || said === 'refused', said).toBe(true);
    }
    const taken = await Promise.all(target.corpus.map((original) => defectOf(target, original, original)));
    expect(taken, 'none of the corpus is taken, so that nothing deep is reached').toContain(undefined);
  });

  test(
    `gives a result or an error of its own for ${total} mutated inputs, in bounded time and memory`,
    async () => {
      const before = process.memoryUsage().rss;
      const told = await fuzzed();
      const inputs = told.reduce((sum, each) => sum + each.inputs, 0);
      const seconds = told.reduce((sum, each) => sum + each.milliseconds, 0) / 1000;
      const slowest = told.toSorted((one, other) => other.slowest - one.slowest)[0];
      process.stdout.write(
        `${told.map(({ target, inputs: own, taken, refused }) => `  ${target.padEnd(46)} ${String(own).padStart(7)} inputs, ${taken} taken, ${refused} refused\n`).join('')}fuzz: ${inputs} inputs of ${told.length} parsers in ${seconds.toFixed(1)} s, the slowest ${slowest?.slowest.toFixed(0)} ms (${slowest?.target})\n`,
      );
      expect(told.flatMap(({ defects }) => defects.map(shown))).toEqual([]);
      expect(told).toHaveLength(targets.length);
      expect(inputs).toBeGreaterThanOrEqual(total);
      // A target that refuses everything, or takes everything, tests little.
      const strict = targets.filter(({ takesOriginalOnly }) => takesOriginalOnly === true).map(({ name }) => name);
      expect(
        told.filter(({ taken, target }) => taken === 0 && !strict.includes(target)).map(({ target }) => target),
      ).toEqual([]);
      expect(process.memoryUsage().rss - before).toBeLessThan(growth);
    },
    bounded(240_000, 3_600_000),
  );

  const regressions = join(corpusRoot, 'regressions');
  const files = existsSync(regressions) ? readdirSync(regressions) : [];
  test.each(files)('what once broke one of them does not any more: %s', async (file) => {
    const input = readFileSync(join(regressions, file));
    const known = targets.filter(({ name }) => file.startsWith(`${name.replaceAll(/[^A-Za-z]+/g, '-')}.`));
    expect(known).toHaveLength(1);
    for (const target of known)
      for (const original of target.corpus) {
        const said = await defectOf(target, input, original);
        expect(said === undefined || said === 'refused', said).toBe(true);
      }
  });

  test('the same seed makes the same inputs', () => {
    for (const target of targets.slice(0, 5))
      expect(inputOf(target, 7, 's').input.equals(inputOf(target, 7, 's').input)).toBe(true);
  });
});

/** In a thread that can be ended: what hangs would keep the test from saying so. */
async function fuzzed(): Promise<readonly Told[]> {
  const place = new SharedArrayBuffer(8);
  const counters = new Int32Array(place);
  const told: Told[] = [];
  const worker = new Worker(new URL('./fuzz-worker.ts', import.meta.url), {
    workerData: { total, seed, place },
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  worker.on('message', (one: Told) => told.push(one));
  let seen = '';
  let hung: Error | undefined;
  const watch = setInterval(() => {
    const now = `${Atomics.load(counters, 0)}/${Atomics.load(counters, 1)}`;
    if (now === seen && worker.threadId !== -1) {
      hung = new Error(
        `input ${counters[1]} of ${targets[counters[0] ?? 0]?.name} takes longer than ${longest} ms (seed ${seed})`,
      );
      void worker.terminate();
    }
    seen = now;
  }, longest);
  try {
    await new Promise<void>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('exit', () => resolve());
    });
  } finally {
    clearInterval(watch);
  }
  if (hung !== undefined) throw hung;
  return told;
}

function shown({ target, input, said, base64 }: Defect): string {
  return `${target}, input ${input}: ${said}\n${base64.slice(0, 300)}`;
}
