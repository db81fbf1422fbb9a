import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { RecoverTask } from '../../../domain/task.ts';

/** The names around a data directory that a recovery uses. */
export interface Place {
  readonly dataDirectory: string;
  /** The path by which the server has it afterwards. */
  readonly servedDirectory: string;
  /** It cannot be renamed then: what is kept goes into a folder within it. */
  readonly isMountPoint: boolean;
  /** Where the present directory is kept; undefined where nothing may be there. */
  readonly old: string | undefined;
  /** Says how far this recovery has come (marker.ts). */
  readonly marker: string;
  /** On its way out; beside the data directory, so that bringing the old one back does not wait for it. */
  readonly discarded: string;
  /** Where the backups of a chain lie until they are combined: on the same volume, never left behind. */
  readonly staging: string;
  /** In the data directory, but not of the server. */
  readonly foreign: readonly string[];
}

export function placeOf(task: RecoverTask['place'], isMountPoint: boolean): Place {
  const { dataDirectory, servedDirectory = dataDirectory, oldDataDirectory } = task;
  const folder = isMountPoint ? dataDirectory : dirname(dataDirectory);
  const prefix = isMountPoint ? '' : `.${basename(dataDirectory)}`;
  const marker = `${prefix}.tidemark-recovery.json`;
  return {
    dataDirectory,
    servedDirectory,
    isMountPoint,
    old: oldDataDirectory === undefined ? undefined : join(folder, oldDataDirectory),
    marker: join(folder, marker),
    discarded: join(folder, `${prefix}.tidemark-discarded`),
    staging: join(folder, `${prefix}.tidemark-chain`),
    foreign: isMountPoint
      ? [marker, `${marker}.new`, 'lost+found', ...(oldDataDirectory === undefined ? [] : [oldDataDirectory])]
      : [],
  };
}

/** What is mounted where (proc_pid_mountinfo(5)): devices alone do not tell, as two mounts may be of one disk. */
export async function readMountPoints(): Promise<ReadonlySet<string>> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const paths = text.split('\n').flatMap((line) => line.split(' ')[4] ?? []);
  return new Set(
    paths.map((path) => path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))),
  );
}
