import { execa } from 'execa';

export interface Measured {
  readonly seconds: number;
  /** Seconds of processors: the tools and the server together. */
  readonly processor: number | undefined;
}

/** May say itself when that is done which is measured; otherwise it is when it ends. */
export type Run = (done: () => Promise<void>) => Promise<void>;

export interface Measure {
  once(what: string, run: Run): Promise<Measured>;
  /** Tells of the second time: the first fills the page cache for all. */
  twice(what: string, run: Run): Promise<Measured>;
  /** One after the other, three times round, so that an hour's change of the machine is in all; tells of the median of each. */
  inTurn<const Turns extends readonly Turn[]>(turns: Turns): Promise<{ readonly [Index in keyof Turns]: Measured }>;
}

export interface Turn {
  readonly what: string;
  readonly run: Run;
}

export function createMeasure(processor: () => number | undefined, log: (line: string) => void): Measure {
  const once = async (what: string, run: Run) => {
    // What others before it have left to be written is not its own.
    await execa('sync');
    const [time, spent] = [performance.now(), processor()];
    const read = (): Measured => {
      const now = processor();
      return {
        seconds: (performance.now() - time) / 1000,
        processor: spent === undefined || now === undefined ? undefined : now - spent,
      };
    };
    let measured: Measured | undefined;
    await run(async () => {
      measured = read();
    });
    measured ??= read();
    log(`${what}: ${describe(measured)}`);
    return measured;
  };
  return {
    once,
    async twice(what, run) {
      await once(what, run);
      return await once(what, run);
    },
    async inTurn<const Turns extends readonly Turn[]>(turns: Turns) {
      const measured = turns.map((): Measured[] => []);
      for (let round = 0; round < 3; round++)
        for (const [index, { what, run }] of turns.entries()) measured[index]?.push(await once(what, run));
      return measured.map(median) as { readonly [Index in keyof Turns]: Measured };
    },
  };
}

export function describe({ seconds, processor }: Measured): string {
  return `${seconds.toFixed(2)} s${processor === undefined ? '' : `, ${processor.toFixed(1)} s of processors`}`;
}

/** By the time on the clock, of an odd number. */
function median(values: readonly Measured[]): Measured {
  const middle = values.toSorted((one, other) => one.seconds - other.seconds)[Math.floor(values.length / 2)];
  if (middle === undefined) throw new Error('there is no median of nothing');
  return middle;
}
