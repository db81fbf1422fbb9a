import { quoteIdentifier } from '../../postgres/advice.ts';
import type { Query } from '../../postgres/query.ts';
import type { ArchiveEntry } from './archive.ts';

/** A trigger that is not simply enabled. */
export interface TriggerState {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  /** pg_trigger.tgenabled. */
  readonly state: 'D' | 'R' | 'A';
}

/** These fire for a replica too (session_replication_role), unlike those that are simply enabled. */
export async function readReplicaTriggers(
  entries: readonly ArchiveEntry[],
  query: Query,
): Promise<readonly TriggerState[]> {
  return (await readTriggerStates(entries, query)).filter(({ state }) => state !== 'D');
}

/** pg_restore --disable-triggers leaves every trigger of a table enabled, also one that was not before. */
export async function readTriggerStates(
  entries: readonly ArchiveEntry[],
  query: Query,
): Promise<readonly TriggerState[]> {
  const tables = entries.filter(({ kind }) => kind === 'TABLE DATA');
  return query<TriggerState>(
    `SELECT nspname AS schema, relname AS table, tgname AS name, tgenabled AS state
       FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
       JOIN pg_catalog.pg_namespace n ON nspname = wanted.schema
       JOIN pg_catalog.pg_class c ON relnamespace = n.oid AND relname = wanted.name
       JOIN pg_catalog.pg_trigger t ON tgrelid = c.oid
      WHERE tgenabled <> 'O' AND NOT tgisinternal`,
    [tables.map(({ schema }) => schema ?? 'public'), tables.map(({ name }) => name)],
  );
}

export async function setTriggerStates(states: readonly TriggerState[], query: Query): Promise<void> {
  for (const statement of triggerStatements(states)) await query(statement);
}

export function triggerStatements(states: readonly TriggerState[]): readonly string[] {
  return states.map(({ schema, table, name, state }) => {
    const relation = `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
    return `ALTER TABLE ONLY ${relation} ${words[state]} TRIGGER ${quoteIdentifier(name)}`;
  });
}

const words = { D: 'DISABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' } as const;
