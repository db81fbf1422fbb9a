import { formatLsn } from '../../domain/wal/lsn.ts';
import { whereLeft } from '../../domain/wal/timeline-fence.ts';
import type { CallOptions } from '../../repository/store.ts';
import type { NamedArchive } from './archives.ts';
import { fromMost } from './from-most.ts';
import type { WalPosition } from './observe-server.ts';

/**
 * Where the archive knows a successor of the server's timeline that left it before the server's position. `before`: the
 * timeline that was seen last. A primary that is on an older one than that was left too, even where it has written nothing
 * since: after a clean switchover it starts exactly where its successor began.
 */
export async function leftTimeline(
  { timeline, current }: WalPosition,
  archives: readonly NamedArchive[],
  options: CallOptions,
  before = timeline,
): Promise<{ readonly reason: string; readonly message: string } | undefined> {
  const known = await fromMost(archives, ({ archive }, signal) => archive.histories({ signal }), options.signal);
  for (const { name, answer } of known.answers) {
    const left = whereLeft(timeline, answer);
    const archive = archives.find((each) => each.name === name)?.archive;
    if (left === undefined || (current <= left.at && before <= timeline)) continue;
    return {
      reason: 'OldPrimary',
      message: `The server is at ${formatLsn(current)} on timeline ${timeline}, and timeline ${left.child} of the archive left that one at ${formatLsn(left.at)} (${archive?.path}/history in the repository ${name}): another server was promoted, and this one does not know of it. Its WAL is refused, and what is stored stays. Stop this server, and make it a standby of the new primary (pg_rewind, or a new base backup); if this one is to be kept, stop the other and give this one a policy of its own.`,
    };
  }
  return undefined;
}
