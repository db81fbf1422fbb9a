import { setTimeout as delay } from 'node:timers/promises';
import { terminal, transient } from '../../domain/failure.ts';
import { nextSegmentName, parseWalFileName } from '../../domain/wal/file-name.ts';
import { openWalArchive, type WalArchive } from '../../repository/wal-archive.ts';
import type { Target } from '../backup/targets.ts';

export interface NamedArchive {
  readonly name: string;
  readonly archive: WalArchive;
}

/** The WAL archive of the server, beside its backups in every repository. */
export function archivesOf(targets: readonly Target[]): readonly NamedArchive[] {
  return targets.map(({ name, store, location }) => ({ name, archive: openWalArchive(store, location) }));
}

/** A backup whose WAL nobody archives could never be recovered: it is not begun. */
export async function requireArchiving(
  archives: readonly NamedArchive[],
  archiveMode: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (archiveMode === 'on' || archiveMode === 'always') return;
  for (const { name, archive } of archives) {
    if ((await archive.timelines({ signal })).length > 0) continue;
    throw terminal(
      'WalNotArchived',
      `physical.walMethod is Archive, but the repository ${name} has no WAL of this server, and the server's archive_mode is ${archiveMode ?? 'off'}. Set walArchiving.mode in the policy and wait for the condition ContinuousArchiving, or set physical.walMethod to Stream or Fetch.`,
    );
  }
}

/** Every segment from one to the other, on one timeline. */
export function segmentsBetween(first: string, last: string, segmentSize: number): readonly string[] {
  const names: string[] = [];
  for (let name = first; ; ) {
    names.push(name);
    const file = parseWalFileName(name);
    if (name >= last || file === undefined || file.kind === 'History') return names;
    name = nextSegmentName(file.timeline, file.number, segmentSize);
  }
}

const pause = 500;

export interface Awaited {
  readonly segments: readonly string[];
  readonly archives: readonly NamedArchive[];
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly signal: AbortSignal;
  readonly onWaiting: (missing: string) => void;
}

/** Resolves when every repository has all of them; EndWalNotArchived says which one it lacks when the time is up. */
export async function awaitArchived({ segments, archives, until, signal, onWaiting }: Awaited): Promise<void> {
  for (const { name, archive } of archives) {
    for (const segment of segments) {
      while (!(await archive.has(segment, { signal }))) {
        onWaiting(segment);
        if (Date.now() >= until) throw notArchived(segment, name);
        await delay(pause, undefined, { signal });
      }
    }
  }
}

function notArchived(segment: string, repository: string) {
  return transient(
    'EndWalNotArchived',
    `The WAL segment ${segment}, which this backup needs, has not come into the repository ${repository} in time, so the backup was not kept. Look at the policy's condition ContinuousArchiving and at pg_stat_archiver on the server. Where the backup is taken from a standby, the primary must end the segment: set archive_timeout there, or allow it to the role: GRANT EXECUTE ON FUNCTION pg_switch_wal().`,
  );
}
