import type { Progress } from '../../api/report.ts';
import type { Reporter } from '../report.ts';

/** Tells the reporter every second how far the work is. */
export interface Meter {
  /** A step that is `size` bytes of the whole; `sample` says how many are through, undefined where nobody knows. */
  begin(step: string, size: number, sample: () => Promise<number | undefined>): void;
  /** The step is done: all of its bytes count. */
  end(): void;
  /** Nothing is told after this, so that the facts of a stored backup stay the last word. */
  stop(): void;
}

const interval = 1000;
/** Samples that the rate is taken over. */
const window = 10;

export function createMeter(reporter: Pick<Reporter, 'progress'>, total: number, now: () => number = Date.now): Meter {
  let done = 0;
  let current = { step: '', size: 0, sample: async (): Promise<number | undefined> => undefined };
  let through = 0;
  let moved = 0;
  let samples: readonly { readonly at: number; readonly moved: number }[] = [];
  let stopped = false;

  const tick = async () => {
    const { sample } = current;
    const sampled = await sample().catch(() => undefined);
    if (stopped || current.sample !== sample) return;
    if (sampled !== undefined && sampled > through) {
      moved += sampled - through;
      through = sampled;
    }
    samples = [...samples, { at: now(), moved }].slice(-window);
    reporter.progress(report());
  };
  const report = (): Progress => {
    const bytes = done + Math.min(through, current.size);
    return {
      step: current.step,
      bytesDone: String(bytes),
      bytesTotal: String(total),
      // 100 is for a backup that exists.
      percent: total === 0 ? 0 : Math.min(99, Math.floor((bytes / total) * 100)),
      bytesPerSecond: String(rate(samples)),
    };
  };
  const timer = setInterval(() => void tick(), interval);
  timer.unref();
  return {
    begin(step, size, sample) {
      current = { step, size, sample };
      through = 0;
      reporter.progress(report());
    },
    end() {
      done += current.size;
      current = { step: current.step, size: 0, sample: async () => undefined };
      through = 0;
      reporter.progress(report());
    },
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

function rate(samples: readonly { readonly at: number; readonly moved: number }[]): number {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.at <= first.at) return 0;
  return Math.round(((last.moved - first.moved) * 1000) / (last.at - first.at));
}
