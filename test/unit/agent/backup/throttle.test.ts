import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createThrottle, type Throttle } from '../../../../src/agent/backup/throttle.ts';

let leader: ChildProcess;
let abort: AbortController;
let throttle: Throttle;

beforeEach(async () => {
  // A leader with a worker, as pg_dump --jobs has them.
  leader = spawn('sh', ['-c', '(echo up; exec sleep 60) & wait'], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (leader.stdout === null) throw new Error('no output');
  await once(leader.stdout, 'data');
  abort = new AbortController();
  throttle = createThrottle(abort.signal);
  throttle.watch(leader.pid);
});

afterEach(async () => {
  throttle.release();
  const pids = await family();
  for (const pid of pids.toReversed()) process.kill(pid, 'SIGKILL');
  if (leader.exitCode === null && leader.signalCode === null) await once(leader, 'exit');
});

async function family(): Promise<readonly number[]> {
  const children = await readFile(`/proc/${leader.pid}/task/${leader.pid}/children`, 'utf8').catch(() => '');
  return [leader.pid ?? 0, ...children.split(' ').filter(Boolean).map(Number)];
}

/** One letter a process: T is stopped (proc(5)). */
async function states(): Promise<string> {
  const all = await Promise.all((await family()).map((pid) => readFile(`/proc/${pid}/stat`, 'utf8')));
  return all.map((stat) => /\) ([A-Z]) /.exec(stat)?.[1] ?? '?').join('');
}

test('holds a process and its workers, and lets them go on', async () => {
  throttle.hold();
  await vi.waitFor(async () => expect(await states()).toBe('TT'), { timeout: 120_000 });
  throttle.release();
  await vi.waitFor(async () => expect(await states()).not.toContain('T'), { timeout: 120_000 });
});

test('lets everyone go on when the work is called off, and holds nobody after that', async () => {
  throttle.hold();
  await vi.waitFor(async () => expect(await states()).toBe('TT'), { timeout: 120_000 });
  abort.abort();
  await vi.waitFor(async () => expect(await states()).not.toContain('T'), { timeout: 120_000 });
  throttle.hold();
  expect(await states()).not.toContain('T');
});

test('leaves alone what is no child of this process', () => {
  throttle.watch(process.ppid);
  throttle.hold();
});
