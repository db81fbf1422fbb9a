import { setTimeout as delay } from 'node:timers/promises';
import { Failure, terminal } from '../../domain/failure.ts';
import { quoteIdentifier } from '../../postgres/advice.ts';
import type { Query } from '../../postgres/query.ts';

/** Connections to a database that stays untouched itself; each call opens one. */
export type Connect = <Result>(use: (query: Query) => Promise<Result>) => Promise<Result>;

/** Gives a finished new database its name. Nobody is connected to it. */
export async function nameDatabase(connect: Connect, temporary: string, name: string): Promise<void> {
  await connect((query) => query(rename(temporary, name)));
}

const pause = 100;

/**
 * Puts a finished new database in the place of another one, and gives the name under which that one is kept: both
 * renames are one transaction, so that there is always one database of the name, the old or the new. A rename waits a
 * few seconds, with new connections held back, for the old ones to end; they are ended from a second connection
 * meanwhile.
 */
export async function swapDatabases(
  connect: Connect,
  { temporary, name }: { readonly temporary: string; readonly name: string },
): Promise<string> {
  let swapped = false;
  const ending = connect(async (query) => {
    while (!swapped) {
      await query(
        'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()',
        [name],
      );
      await delay(pause);
    }
  });
  // Where connections cannot be ended, the rename says that there are some.
  const ended = ending.catch((error: unknown) => error);
  try {
    return await connect(async (query) => {
      await query('BEGIN');
      const databases = await query<{ datname: string }>('SELECT datname FROM pg_catalog.pg_database');
      const keptAs = keptName(
        name,
        new Date(),
        databases.map(({ datname }) => datname),
      );
      await query(rename(name, keptAs));
      await query(rename(temporary, name));
      await query('COMMIT');
      return keptAs;
    });
  } catch (error) {
    swapped = true;
    throw await inUse(error, ended, name);
  } finally {
    swapped = true;
    await ended;
  }
}

async function inUse(error: unknown, ended: Promise<unknown>, name: string): Promise<unknown> {
  const said = error instanceof Error ? error.message : '';
  if (!/is being accessed by other users/.test(said)) return error;
  const refusal = await ended;
  const why = refusal instanceof Failure ? ` They could not be ended: ${refusal.message}` : '';
  return terminal(
    'DatabaseInUse',
    `Database ${name} has connections that would not end, so the restored database could not take its place.${why} Stop what is connected (or restore as a superuser or with the role pg_signal_backend), and create a new RestoreRequest.`,
    error,
  );
}

function rename(from: string, to: string): string {
  return `ALTER DATABASE ${quoteIdentifier(from)} RENAME TO ${quoteIdentifier(to)}`;
}

const nameBytes = 63;

/**
 * `orders_before_20261121T030000Z`, within what PostgreSQL takes for a name. Of two long names the same may be left,
 * and an attempt that was killed after its swap may be of the same second: where the name is taken, `_2` and so on is
 * added.
 */
export function keptName(name: string, at: Date, taken: readonly string[]): string {
  const suffix = `_before_${at.toISOString().replace(/[-:]|\.\d+/g, '')}`;
  let kept = within(name, suffix);
  for (let count = 2; taken.includes(kept); count += 1) kept = within(name, `${suffix}_${count}`);
  return kept;
}

function within(name: string, suffix: string): string {
  let short = name;
  while (Buffer.byteLength(short + suffix) > nameBytes) short = [...short].slice(0, -1).join('');
  return short + suffix;
}
