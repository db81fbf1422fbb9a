import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toolFor } from '../../postgres/tools.ts';
import { runTool } from '../restore/run-tool.ts';
import type { Answer } from './check-list.ts';
import { firstErrors } from './dump-to-nowhere.ts';

export interface LaidBase {
  readonly dataDirectory: string;
  /** The server's own list, as it is stored with the backup. */
  readonly backupManifest: string;
  readonly major: number;
  /** For the list. */
  readonly folder: string;
  /** In the data directory, and not of the backup. */
  readonly foreign: readonly string[];
}

/** Compares every file of the base, before any server has seen it, with the checksums that the source's server wrote. */
export async function verifyBase(base: LaidBase, signal: AbortSignal): Promise<Answer> {
  const { dataDirectory, backupManifest, major, folder, foreign } = base;
  const list = join(folder, 'backup_manifest');
  await writeFile(list, backupManifest, { mode: 0o600 });
  const tool = await toolFor('pg_verifybackup', major);
  const { code, stdout, stderr } = await runTool({
    command: tool.path,
    // The WAL is read by the server that replays it; most of it is not laid.
    args: [
      '--no-parse-wal',
      '--quiet',
      `--manifest-path=${list}`,
      ...foreign.map((name) => `--ignore=${name}`),
      dataDirectory,
    ],
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', LC_MESSAGES: 'C' },
    signal,
  });
  if (code === 0)
    return { outcome: 'Passed', message: 'Every file of the base has the checksum that the server wrote.' };
  return {
    outcome: 'Failed',
    message: `pg_verifybackup says of the files as they were laid: ${firstErrors(`${stderr}\n${stdout}`)}. The stored objects are as they were written, so the files changed before: check memory and disk of the source, and make a new full backup.`,
  };
}
