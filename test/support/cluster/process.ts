import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/** A process that outlives the one that started it. Its start time tells it from a later one with the same number. */
export interface Detached {
  readonly pid: number;
  readonly startTime: string;
}

interface StartOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly pidFile: string;
  readonly logFile: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts a process in a session of its own and records it before anything else can go wrong. */
export async function startDetached({
  command,
  args,
  pidFile,
  logFile,
  environment = {},
}: StartOptions): Promise<Detached> {
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', log, log],
    // Rarer collections of garbage: the processors belong to what runs in the cluster.
    env: { GOGC: '400', ...process.env, ...environment },
  });
  child.unref();
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const pid = child.pid ?? 0;
  const startTime = (await startTimeOf(pid)) ?? '';
  await writeFile(pidFile, `${pid} ${startTime}`);
  return { pid, startTime };
}

/** The process of a pid file, if it still is the one that was recorded. */
export async function runningProcess(pidFile: string): Promise<Detached | undefined> {
  const [pid, startTime] = (await readFile(pidFile, 'utf8').catch(() => '')).split(' ');
  if (pid === undefined || startTime === undefined || startTime === '') return undefined;
  return (await startTimeOf(Number(pid))) === startTime ? { pid: Number(pid), startTime } : undefined;
}

/** SIGTERM, then SIGKILL to one that does not go; the pid file goes last. */
export async function stopRecorded(pidFile: string, patienceMilliseconds = 10_000): Promise<void> {
  const found = await runningProcess(pidFile);
  if (found !== undefined) {
    process.kill(found.pid, 'SIGTERM');
    if (!(await gone(found, patienceMilliseconds))) {
      process.kill(found.pid, 'SIGKILL');
      await gone(found, 5_000);
    }
  }
  await rm(pidFile, { force: true });
}

async function gone({ pid, startTime }: Detached, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while ((await startTimeOf(pid)) === startTime) {
    if (Date.now() > deadline) return false;
    await pause(50);
  }
  return true;
}

/** Clock ticks since boot (proc(5), field 22 of /proc/pid/stat); undefined for no process and for a zombie. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  // The command's name stands in parentheses and may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}
