import { quoteIdentifier } from '../../postgres/advice.ts';
import type { Query } from '../../postgres/query.ts';
import type { Selection } from './select-objects.ts';

/** A restored table has no statistics, and the planner guesses until autovacuum comes by. */
export function analyzeStatements(
  { entries, whole }: Pick<Selection, 'entries' | 'whole'>,
  batch = 500,
): readonly string[] {
  if (whole) return ['ANALYZE'];
  const relations = entries
    .filter(({ kind }) => kind === 'TABLE DATA' || kind === 'MATERIALIZED VIEW DATA')
    .map(({ schema, name }) => `${quoteIdentifier(schema ?? 'public')}.${quoteIdentifier(name)}`);
  const statements: string[] = [];
  for (let from = 0; from < relations.length; from += batch) {
    statements.push(`ANALYZE ${relations.slice(from, from + batch).join(', ')}`);
  }
  return statements;
}

/**
 * Where one table cannot be analyzed (a partition on a foreign server that is away), the others are, one by one. Rejects
 * with the first of such errors after all is done that can be.
 */
export async function analyze(query: Query, selection: Pick<Selection, 'entries' | 'whole'>): Promise<void> {
  try {
    for (const statement of analyzeStatements(selection)) await query(statement);
  } catch (error) {
    for (const statement of analyzeStatements({ ...selection, whole: false }, 1)) {
      await query(statement).catch(() => undefined);
    }
    throw error;
  }
}
