import type { Lsn } from '../../../domain/wal/lsn.ts';
import { quoteIdentifier } from '../../../postgres/advice.ts';
import { withConnection } from '../../../postgres/query.ts';
import { isDenied } from '../apply-settings.ts';
import type { Assembly } from './assemble.ts';
import type { StreamOptions } from './stream-timeline.ts';

/** Milliseconds between two looks into the open segment. */
const lookEvery = 2000;

/**
 * Has the server close a segment that holds commits and was open for longer than the archive timeout: what it receives
 * after that is the rest of the segment, which can be stored then. An idle server is left alone.
 */
export function closeSegments(options: StreamOptions, assembly: Assembly): { readonly look: () => void } {
  const { task, start, state } = options;
  const timeout = task.archiveTimeoutSeconds * 1000;
  let begin: Lsn | undefined;
  let openSince = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let seen: Lsn | undefined;
  let closing = false;
  return {
    look() {
      const now = performance.now();
      const position = assembly.position();
      const size = BigInt(start.segmentSize);
      const current = (position / size) * size;
      if (position === current) return;
      if (current !== begin) {
        begin = current;
        openSince = now;
      }
      if (timeout === 0 || closing || now - openSince < timeout || now - lookedAt < lookEvery || seen === position)
        return;
      lookedAt = now;
      seen = position;
      if (!assembly.holdsCommit()) return;
      closing = true;
      void switchSegment(options)
        .then((denied) => {
          state.switchDenied = denied;
        })
        .catch((error: unknown) => {
          options.log.warn({ err: error }, 'the open segment could not be closed; it will be tried again');
          seen = undefined;
        })
        .finally(() => {
          closing = false;
        });
    },
  };
}

/** undefined, or what must be granted for it. */
async function switchSegment({ server, task, session }: StreamOptions): Promise<string | undefined> {
  const { access } = server;
  try {
    await withConnection(access, task.server.database, session, (query) => query('SELECT pg_catalog.pg_switch_wal()'));
    return undefined;
  } catch (error) {
    if (!isDenied(error)) throw error;
    return `The role ${access.username} may not close a segment, so the archive lags behind by up to a whole one. As a superuser, run: GRANT EXECUTE ON FUNCTION pg_switch_wal() TO ${quoteIdentifier(access.username)};`;
  }
}
