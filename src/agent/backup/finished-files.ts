import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PackedFile } from '../../stream/tar.ts';
import { openFiles } from './processes.ts';

export interface FinishedFiles {
  /**
   * The files that pg_dump has closed, though it runs on: no process of its holds them open, now and at the call before,
   * and they have not grown in between. It never opens a data file twice.
   */
  whileRunning(except: string): Promise<readonly PackedFile[]>;
  /** Every file that is there, for when pg_dump has ended. */
  afterwards(except: string): Promise<readonly PackedFile[]>;
  /** Of all files that the last look found. */
  bytesPresent(): number;
}

export function createFinishedFiles(folder: string, pid: number | undefined): FinishedFiles {
  let closedBefore: ReadonlyMap<string, number> = new Map();
  let present = 0;
  const look = async () => {
    const files = await list(folder);
    present = files.reduce((sum, { size }) => sum + size, 0);
    return files;
  };
  return {
    async whileRunning(except) {
      // The order matters: a file that is listed and then not held open has been closed.
      const files = await look();
      const open = pid === undefined ? undefined : await openFiles(pid, folder);
      if (open === undefined) return [];
      const closed = files.filter(({ path }) => path !== except && !open.has(path));
      const finished = closed.filter(({ path, size }) => closedBefore.get(path) === size);
      closedBefore = new Map(closed.map(({ path, size }) => [path, size]));
      return finished;
    },
    afterwards: async (except) => (await look()).filter(({ path }) => path !== except),
    bytesPresent: () => present,
  };
}

/** pg_dump's folder is flat. A file that is removed meanwhile has been stored. */
async function list(folder: string): Promise<readonly PackedFile[]> {
  const names = await readdir(folder);
  const files = await Promise.all(
    names.map(async (path) => {
      const size = await stat(join(folder, path)).then(
        (found) => found.size,
        () => undefined,
      );
      return size === undefined ? [] : [{ path, size }];
    }),
  );
  return files.flat();
}
