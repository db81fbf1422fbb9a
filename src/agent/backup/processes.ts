import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes that a process has written to files and pipes (proc(5), /proc/pid/io); undefined where it cannot be told. */
export async function bytesWritten(pid: number | undefined): Promise<number | undefined> {
  if (pid === undefined) return undefined;
  const text = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => '');
  const written = /^wchar: (\d+)$/m.exec(text)?.[1];
  return written === undefined ? undefined : Number(written);
}

/**
 * The files under a folder that a process or one of its children holds open. undefined where it cannot be told, or where
 * the process has gone: then nothing may be concluded.
 */
export async function openFiles(pid: number, folder: string): Promise<ReadonlySet<string> | undefined> {
  try {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    const leader = await descriptors(pid);
    const workers = await Promise.all(children.split(' ').filter(Boolean).map(Number).map(descriptorsOfWorker));
    const files = [leader, ...workers].flat().filter((file) => file.startsWith(`${folder}/`));
    return new Set(files.map((file) => file.slice(folder.length + 1)));
  } catch {
    return undefined;
  }
}

/** A worker that has ended holds nothing, whether or not its parent has noticed. */
async function descriptorsOfWorker(pid: number): Promise<readonly string[]> {
  try {
    return await descriptors(pid);
  } catch (error) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    if (stat === undefined || /\) Z /.test(stat)) return [];
    throw error;
  }
}

async function descriptors(pid: number): Promise<readonly string[]> {
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder);
  return Promise.all(names.map((name) => readlink(join(folder, name)).catch(() => '')));
}
