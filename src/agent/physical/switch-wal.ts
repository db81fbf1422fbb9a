import type { ServerTask } from '../../domain/task.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { chooseServer } from '../../postgres/choose-server.ts';
import { withConnection } from '../../postgres/query.ts';
import type { AgentLog } from '../log.ts';

/**
 * Lets the primary end its segment, which it does by itself only where the backup is its own. Where it cannot be reached
 * or does not allow it, archive_timeout does it later.
 */
export async function switchWal(
  task: ServerTask,
  access: ServerAccess,
  log: AgentLog,
  signal: AbortSignal,
): Promise<void> {
  try {
    const primary = await chooseServer({ ...task, role: 'Primary' }, access, signal);
    if (primary.facts.role !== 'Primary') return;
    await withConnection(primary.access, task.database, signal, (query) => query('SELECT pg_catalog.pg_switch_wal()'));
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error }, 'the primary did not end its WAL segment; archive_timeout will');
  }
}
