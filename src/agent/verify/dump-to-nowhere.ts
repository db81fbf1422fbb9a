import type { ServerAccess } from '../../postgres/access.ts';
import { type LibpqFiles, libpqEnvironment, toolFor } from '../../postgres/tools.ts';
import { inParallel } from '../in-parallel.ts';
import { runTool } from '../restore/run-tool.ts';
import type { Answer } from './check-list.ts';
import { openDatabases } from './databases.ts';
import { requireServer } from './server-lost.ts';

export interface Asked {
  readonly access: ServerAccess;
  readonly files: LibpqFiles;
  /** Of the server. */
  readonly major: number;
  readonly signal: AbortSignal;
}

/** At once: the server is a scratch one, and the node is somebody else's too. */
const width = 2;
const shown = 3;

/** Reads every row of every database, as pg_dump does, and keeps nothing. */
export async function dumpToNowhere({ access, files, major, signal }: Asked): Promise<Answer> {
  const tool = await toolFor('pg_dump', major);
  const databases = await openDatabases(access, signal);
  const found = await inParallel(databases, width, async ({ name }) => {
    const { code, stderr } = await runTool({
      command: tool.path,
      args: ['--no-password', '--format=plain', '--no-sync', '--file=/dev/null'],
      env: libpqEnvironment(access, name, files),
      signal,
    });
    if (code === 0) return undefined;
    requireServer(stderr, 'pg_dump', name);
    return `database ${name}: ${firstErrors(stderr)}`;
  });
  const failed = found.filter((each) => each !== undefined);
  if (failed.length === 0) return { outcome: 'Passed', message: `Every row of ${count(databases.length)} was read.` };
  return {
    outcome: 'Failed',
    message: `${failed.length} of ${count(databases.length)} cannot be dumped: ${failed.slice(0, shown).join('; ')}. Dump the same table in the source: if that fails too, the source is damaged, and the newest backup that passed is what to go back to (recoveryTarget.backupID); if not, the backup is.`,
  };
}

/** The tool's own words, with the table and the file in them. */
export function firstErrors(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => /error:|ERROR:/.test(line));
  return (errors.length > 0 ? errors : lines)
    .slice(0, shown)
    .map((line) => line.replace(/^pg_\w+: (error: )?/, ''))
    .join('; ');
}

export function count(databases: number): string {
  return `${databases} ${databases === 1 ? 'database' : 'databases'}`;
}
