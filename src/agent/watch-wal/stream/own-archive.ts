import { terminal } from '../../../domain/failure.ts';
import { formatLsn } from '../../../domain/wal/lsn.ts';
import type { ServerAccess } from '../../../postgres/access.ts';
import type { CallOptions } from '../../../repository/store.ts';
import type { NamedArchive } from '../archives.ts';
import { leftTimeline } from '../fence.ts';
import { fromMost } from '../from-most.ts';
import type { WalPosition } from '../observe-server.ts';
import { type ArchiveState, trackArchive } from '../track-archive.ts';

/** What the archives hold of a server that may have written it; a terminal Failure where it may not. */
export async function requireOwnArchive(
  position: WalPosition,
  acknowledged: { readonly timeline: number; readonly end: bigint } | undefined,
  archives: readonly NamedArchive[],
  access: ServerAccess,
  options: CallOptions,
): Promise<readonly ArchiveState[]> {
  const left = await leftTimeline(position, archives, options);
  if (left !== undefined) throw terminal(left.reason, left.message);
  const looked = await fromMost(
    archives,
    ({ archive }, call) => trackArchive(archive).look({ ...position, acknowledged }, { signal: call }),
    options.signal,
  );
  const states = looked.answers.map(({ answer }) => answer);
  requireNoNewerArchive(states, position, access);
  return states;
}

/** A server cannot be behind its own archive: what is stored there later is of another one. */
function requireNoNewerArchive(
  states: readonly ArchiveState[],
  { current, timeline, segmentSize }: WalPosition,
  { host }: ServerAccess,
): void {
  // Not for the last segment: in the one that a timeline was left in, more may be stored than its child has.
  const newer = states.find(({ end }) => end !== undefined && end - BigInt(segmentSize) >= current);
  if (newer?.end === undefined) return;
  throw terminal(
    'WalConflict',
    `The server ${host} is at ${formatLsn(current)} on timeline ${timeline}, and the archive has WAL of that timeline up to ${formatLsn(newer.end)}, so it is not all of this server: its data is an older state, or a copy, of the server that wrote it. Nothing is stored, and what is there stays. If this server is to be kept, give it a policy of its own; otherwise bring the other one back.`,
  );
}
