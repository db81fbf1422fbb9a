import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** The child of a process that runs a program, once it has written so many bytes. Rejects when the signal aborts. */
export async function childThatWrote(
  parent: number,
  program: string,
  bytes: number,
  signal: AbortSignal,
): Promise<number> {
  for (;;) {
    for (const pid of await childrenOf(parent)) {
      const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
      const written = Number(
        /^wchar: (\d+)$/m.exec(await readFile(`/proc/${pid}/io`, 'utf8').catch(() => ''))?.[1] ?? 0,
      );
      if (command.trim() === program && written >= bytes) return pid;
    }
    await delay(5, undefined, { signal });
  }
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '')),
  );
  return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
}
