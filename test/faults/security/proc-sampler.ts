import { readdirSync, readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** What the test gives: texts that must be seen nowhere, and programs of the test's own that have one by right. */
export interface Watched {
  readonly needles: Readonly<Record<string, string>>;
  readonly spared: readonly string[];
}

export interface Sampled {
  /** Looks at all processes of the machine. */
  readonly looks: number;
  readonly processes: number;
  /** `name of the secret: cmdline|environ of a program`. */
  readonly seen: readonly string[];
}

const { needles, spared } = workerData as Watched;
const seen = new Set<string>();
const known = new Set<string>();
let looks = 0;
let isOver = false;

function read(pid: string, file: 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    // It is gone, or a thread of the kernel.
    return '';
  }
}

function look(): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const cmdline = read(pid, 'cmdline');
    const environ = read(pid, 'environ');
    known.add(`${pid} ${cmdline}`);
    if (spared.some((program) => cmdline.includes(program))) continue;
    for (const [name, needle] of Object.entries(needles)) {
      if (cmdline.includes(needle)) seen.add(`${name}: cmdline of ${cmdline.replaceAll('\0', ' ').slice(0, 200)}`);
      if (environ.includes(needle)) seen.add(`${name}: environ of ${cmdline.replaceAll('\0', ' ').slice(0, 200)}`);
    }
  }
  looks += 1;
}

parentPort?.on('message', () => {
  isOver = true;
});

function next(): void {
  if (isOver) {
    parentPort?.postMessage({ looks, processes: known.size, seen: [...seen] } satisfies Sampled);
    parentPort?.close();
    return;
  }
  look();
  setImmediate(next);
}
next();
