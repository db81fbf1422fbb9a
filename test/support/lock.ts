import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startTimeOf } from './cluster/process.ts';

/** Runs `work` while no other process holds the lock file; a lock whose holder is gone is taken over. */
export async function withLock<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  await mkdir(dirname(path), { recursive: true });
  while (!(await take(path))) await pause(200);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  const mine = `${process.pid} ${await startTimeOf(process.pid)}`;
  try {
    const file = await open(path, 'wx');
    await file.writeFile(mine);
    await file.close();
    return true;
  } catch {
    const [pid, started] = (await readFile(path, 'utf8').catch(() => '')).split(' ');
    // An empty file is a holder between its two steps; a holder that died there is gone by the next look, a second later.
    if (pid === undefined || pid === '') return false;
    if ((await startTimeOf(Number(pid))) !== started) await rm(path, { force: true });
    return false;
  }
}
