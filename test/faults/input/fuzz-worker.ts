import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { mutateBytes, mutateJson } from './mutate.ts';
import { seeded } from './random.ts';
import { isOurs, type Target, WrongAcceptance } from './target.ts';
import { targets } from './targets/all.ts';

/** What the thread that watches this one gives it. */
export interface Work {
  readonly total: number;
  readonly seed: string;
  /** [0]: which target; [1]: which of its inputs. A number that does not change tells what hangs. */
  readonly place: SharedArrayBuffer;
}

export interface Told {
  readonly target: string;
  readonly inputs: number;
  readonly taken: number;
  readonly refused: number;
  readonly milliseconds: number;
  /** The slowest input, in milliseconds. */
  readonly slowest: number;
  readonly defects: readonly Defect[];
}

export interface Defect {
  readonly target: string;
  readonly input: number;
  readonly said: string;
  readonly base64: string;
}

/** More of one target are the same defect as a rule. */
const mostDefects = 5;

export function inputOf(
  target: Target,
  number: number,
  seed: string,
): { readonly input: Buffer; readonly original: Buffer } {
  const random = seeded(seed, target.name, number);
  const original = target.corpus[random.below(target.corpus.length)] ?? Buffer.alloc(0);
  if (target.mutates === 'bytes') return { input: mutateBytes(random, original, target.corpus), original };
  return { input: Buffer.from(mutateJson(random, JSON.parse(original.toString('utf8')))), original };
}

/** What is wrong with how it was read; undefined where it was taken or refused as it should be. */
export async function defectOf(
  target: Target,
  input: Buffer,
  original: Buffer,
): Promise<string | 'refused' | undefined> {
  try {
    await target.run(input, original);
    return undefined;
  } catch (error) {
    if (!(error instanceof WrongAcceptance) && isOurs(error)) return 'refused';
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

async function fuzz({ total, seed, place }: Work): Promise<void> {
  const counters = new Int32Array(place);
  const shares = targets.reduce((sum, { share }) => sum + share, 0);
  for (const [index, target] of targets.entries()) {
    const inputs = Math.ceil((total * target.share) / shares);
    const told = { target: target.name, inputs, taken: 0, refused: 0, milliseconds: 0, slowest: 0 };
    const defects: Defect[] = [];
    const begun = performance.now();
    for (let number = 0; number < inputs && defects.length < mostDefects; number += 1) {
      Atomics.store(counters, 0, index);
      Atomics.store(counters, 1, number);
      const { input, original } = inputOf(target, number, seed);
      const started = performance.now();
      const said = await defectOf(target, input, original);
      told.slowest = Math.max(told.slowest, performance.now() - started);
      if (said === undefined) told.taken += 1;
      else if (said === 'refused') told.refused += 1;
      else defects.push({ target: target.name, input: number, said, base64: input.toString('base64') });
    }
    told.milliseconds = performance.now() - begun;
    parentPort?.postMessage({ ...told, defects } satisfies Told);
  }
}

if (parentPort !== null) await fuzz(workerData as Work);
