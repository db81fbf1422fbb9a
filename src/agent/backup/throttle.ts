import { readFileSync } from 'node:fs';

/** Stops a pg_dump and its workers while the repositories cannot follow, as a full pipe would. */
export interface Throttle {
  watch(pid: number | undefined): void;
  hold(): void;
  release(): void;
}

/**
 * A stopped process does not hear that it is to end, and its workers would outlive it so: when the signal aborts, all go
 * on, and are not stopped again.
 */
export function createThrottle(signal: AbortSignal): Throttle {
  let leader: number | undefined;
  let held: readonly number[] = [];
  const release = () => {
    for (const pid of held) send(pid, 'SIGCONT');
    held = [];
  };
  signal.addEventListener('abort', release, { once: true });
  return {
    watch(pid) {
      leader = pid;
    },
    hold() {
      if (held.length > 0 || leader === undefined || signal.aborted || !isChild(leader)) return;
      // The leader first: it starts no worker then.
      send(leader, 'SIGSTOP');
      const workers = childrenOf(leader);
      for (const pid of workers) send(pid, 'SIGSTOP');
      held = [leader, ...workers];
    },
    release,
  };
}

/** Read at once: between the look and the signal there is no room for anything else. */
function childrenOf(pid: number): readonly number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`);
  return text.split(' ').filter(Boolean).map(Number);
}

/** Whether the number is still that of a process of ours. */
function isChild(pid: number): boolean {
  const [, parent] = /\) [A-Z] (\d+) /.exec(read(`/proc/${pid}/stat`)) ?? [];
  return Number(parent) === process.pid;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
