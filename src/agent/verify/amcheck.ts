import { withConnection } from '../../postgres/query.ts';
import { libpqEnvironment, toolFor } from '../../postgres/tools.ts';
import { runTool } from '../restore/run-tool.ts';
import type { Answer } from './check-list.ts';
import { openDatabases } from './databases.ts';
import { type Asked, count, firstErrors } from './dump-to-nowhere.ts';
import { requireServer } from './server-lost.ts';

/** The first major with verify_heapam(), and so with pg_amcheck (PostgreSQL 14, release notes). */
const firstMajor = 14;
/** Its exit code where it found something; 1 is for what it could not do (pg_amcheck.c). */
const foundSomething = 2;
const shown = 3;

/** Compares every table and B-tree with what it must be, database by database, each index with its table too. */
export async function amcheck({ access, files, major, signal }: Asked): Promise<Answer> {
  if (major < firstMajor) return skipped(`PostgreSQL ${major} has no pg_amcheck, which came with ${firstMajor}.`);
  const tool = await toolFor('pg_amcheck', major);
  const isThere = await withConnection(access, 'template1', signal, (query) =>
    query("SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck'"),
  );
  if (isThere.length === 0)
    return skipped(
      'the image of the source lacks the extension amcheck: install its contrib package (postgresql-contrib), or set verification.image to an image that has it.',
    );
  const databases = await openDatabases(access, signal);
  const [damaged, undone]: [string[], string[]] = [[], []];
  for (const { name } of databases) {
    const { code, stdout, stderr } = await runTool({
      command: tool.path,
      args: ['--no-password', '--install-missing', '--heapallindexed', '--jobs=2'],
      env: { ...libpqEnvironment(access, name, files), PGOPTIONS: options },
      signal,
    });
    if (code === 0) continue;
    requireServer(`${stdout}\n${stderr}`, 'pg_amcheck', name);
    if (code === foundSomething) damaged.push(...findings(stdout));
    else undone.push(`database ${name}: ${firstErrors(stderr)}`);
  }
  if (damaged.length > 0)
    return {
      outcome: 'Failed',
      message: `${damaged.length} objects are damaged: ${damaged.slice(0, shown).join('; ')}. Run pg_amcheck in the source. Where it finds the same, REINDEX the index there (after a changed collation or operating system all indexes on text), or bring the table back from the newest backup that passed; where it does not, the backup is damaged.`,
    };
  if (undone.length > 0) return skipped(`pg_amcheck could not look: ${undone.slice(0, shown).join('; ')}.`);
  return { outcome: 'Passed', message: `The tables and B-trees of ${count(databases.length)} are sound.` };
}

/** What a database sets for its users is not for this. */
const options = '-c statement_timeout=0 -c default_transaction_read_only=off -c lock_timeout=0';

/** Each begins with the object as "database.schema.name" at the start of a line; the words to it are indented. */
export function findings(stdout: string): readonly string[] {
  const found = new Map<string, string>();
  let object: string | undefined;
  for (const line of stdout.split('\n')) {
    const named = /^((?:heap table|btree index|sequence) "[^"]*(?:""[^"]*)*")(.*?):?$/.exec(line);
    if (named !== null) object = named[1];
    else if (object !== undefined && line.trim() !== '' && !found.has(object))
      found.set(object, line.trim().replace(/^ERROR:\s+/, ''));
  }
  return [...found].map(([name, said]) => `${name}: ${said}`);
}

function skipped(message: string): Answer {
  return { outcome: 'Skipped', message };
}
