import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What the processor did for this process and all that it has started, servers and what runs in the background too. */
export interface ProcessorTime {
  /** Seconds of all cores; undefined where the kernel keeps no such account for us. */
  readonly seconds: () => number | undefined;
  readonly close: () => Promise<void>;
}

/** A control group of the kernel's counts also what leaves its parent; there are two versions of them. */
export async function accountProcessorTime(): Promise<ProcessorTime> {
  const [parent, read] = existsSync('/sys/fs/cgroup/cpuacct')
    ? (['/sys/fs/cgroup/cpuacct', readVersion1] as const)
    : (['/sys/fs/cgroup', readVersion2] as const);
  const folder = join(parent, `tidemark-bench-${process.pid}`);
  try {
    await mkdir(folder);
    await writeFile(join(folder, 'cgroup.procs'), String(process.pid));
  } catch {
    return { seconds: () => undefined, close: async () => undefined };
  }
  return {
    seconds: () => read(folder),
    close: async () => {
      await writeFile(join(parent, 'cgroup.procs'), String(process.pid));
      rmdirSync(folder);
    },
  };
}

function readVersion1(folder: string): number {
  return Number(readFileSync(join(folder, 'cpuacct.usage'), 'utf8')) / 1e9;
}

function readVersion2(folder: string): number {
  return Number(/^usage_usec (\d+)/m.exec(readFileSync(join(folder, 'cpu.stat'), 'utf8'))?.[1]) / 1e6;
}

export interface Memory {
  /** The highest sum of resident memory of the process and its descendants, in bytes, since the last time. */
  readonly takePeak: () => number;
  readonly stop: () => void;
}

const every = 50;

/**
 * Looks now and then: what a process had for a moment between two looks is not seen. A process is asked once for its
 * parent: what the looks take of the processors is counted with what is measured.
 */
export function watchMemory(pid: number): Memory {
  let peak = 0;
  let parents = new Map<number, number>();
  const look = () => {
    const known = parents;
    parents = new Map();
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const parent = known.get(Number(name)) ?? parentOf(name);
      if (parent !== undefined) parents.set(Number(name), parent);
    }
    const belongs = (each: number | undefined): boolean =>
      each !== undefined && (each === pid || belongs(parents.get(each)));
    const sum = [...parents.keys()].filter(belongs).reduce((total, each) => total + residentBytes(each), 0);
    peak = Math.max(peak, sum);
  };
  const timer = setInterval(look, every);
  return {
    takePeak: () => {
      const taken = peak;
      peak = 0;
      return taken;
    },
    stop: () => clearInterval(timer),
  };
}

function parentOf(name: string): number | undefined {
  const parent = / \(.*\) . (\d+)/s.exec(readText(`/proc/${name}/stat`))?.[1];
  return parent === undefined ? undefined : Number(parent);
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** Processes end while they are looked at. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
