import { historyName } from '../../../domain/wal/file-name.ts';
import { type Ancestor, parseTimelineHistory } from '../../../domain/wal/timeline-history.ts';
import type { Replication } from '../../../postgres/replication/connection.ts';
import type { NamedArchive } from '../archives.ts';
import { fromMost } from '../from-most.ts';

/** Stores a timeline's history in every archive, before any segment of it, and gives the ancestors. */
export async function fetchHistory(
  replication: Replication,
  timeline: number,
  archives: readonly NamedArchive[],
  signal: AbortSignal,
): Promise<readonly Ancestor[]> {
  const [row] = await replication.query<{ readonly content: string | Buffer }>(`TIMELINE_HISTORY ${timeline}`);
  if (row === undefined) throw new Error(`the server gave no history of timeline ${timeline}`);
  const content = typeof row.content === 'string' ? Buffer.from(row.content) : row.content;
  const ancestors = parseTimelineHistory(content.toString('utf8'));
  await fromMost(
    archives,
    ({ archive }, call) => archive.put(historyName(timeline), content, { signal: call }),
    signal,
  );
  return ancestors;
}
