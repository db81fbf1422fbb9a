import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
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

/** The file appears with its content, by a link, so that no holder dies between the two. */
async function take(path: string): Promise<boolean> {
  const mine = `${process.pid} ${await startTimeOf(process.pid)}`;
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, mine);
  try {
    await link(draft, path);
    return true;
  } catch {
    await moveAsideIfDead(path);
    return false;
  } finally {
    await rm(draft, { force: true });
  }
}

async function moveAsideIfDead(path: string): Promise<void> {
  const seen = await readFile(path, 'utf8').catch(() => undefined);
  if (seen === undefined || (await isAlive(seen))) return;
  const aside = `${path}.${process.pid}.aside`;
  // Of several who wait, one moves it. Who moved a fresh one, made in between, puts that back.
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  if ((await readFile(aside, 'utf8')) !== seen) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function isAlive(holder: string): Promise<boolean> {
  const [pid, started] = holder.split(' ');
  return (await startTimeOf(Number(pid))) === started;
}
