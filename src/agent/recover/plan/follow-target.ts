import { terminal } from '../../../domain/failure.ts';
import { type Candidate, chooseBackups, type Wanted } from '../../../domain/recovery/choose-backup.ts';
import { formatMoment, type Moment, parseMoment } from '../../../domain/recovery/moment.ts';
import { type NeededWal, neededWal } from '../../../domain/recovery/needed-wal.ts';
import { type Reach, refuseBeyond, refuseHole } from '../../../domain/recovery/refuse-target.ts';
import type { PlanRecoveryTask } from '../../../domain/task.ts';
import { formatLsn, type Lsn, parseLsn } from '../../../domain/wal/lsn.ts';
import type { RestorePoint } from '../../../domain/wal/read-segment.ts';
import { openWalSource } from '../run/wal-source.ts';
import type { ReadCatalogue } from './read-catalogue.ts';
import { beginOf, type WalReader, walReader } from './read-wal.ts';
import { findRestorePoints, findStop, readEnd, type WalEnd } from './search-wal.ts';

/** A recovery that can be done. */
export interface Followed {
  readonly candidate: Candidate;
  /** All that the archive has behind the backup without a hole; up to the backup's end for targetImmediate. */
  readonly wal: NeededWal;
  readonly end: WalEnd;
  readonly targetTime: Moment | undefined;
  /** Where replay is expected to stop; undefined where only replay finds out. */
  readonly stop: Lsn | undefined;
  /** Of a commit that replay to a moment meets, and is not to pass: more than a minute after that of the archive's last one. */
  readonly clockAhead?: Moment | undefined;
}

type Target = PlanRecoveryTask['target'];

interface FollowOptions {
  /** Backups that are taken where nothing else leads to the target. */
  readonly passOver?: readonly string[];
  /** Whether it is to be found out if the source writes heartbeats. */
  readonly heartbeat?: boolean;
}

/** Finds the backup and the WAL that lead to the target, or refuses with the nearest one that can be had. */
export async function followTarget(
  target: Target,
  catalogue: ReadCatalogue,
  signal: AbortSignal,
  { passOver = [], heartbeat = false }: FollowOptions = {},
): Promise<Followed> {
  const wanted = { ...wantedOf(target), passOver };
  const candidates = chooseBackups(wanted, catalogue);
  const follow = walFollower(catalogue, signal);
  if (wanted.immediate) return followImmediate(candidates, follow, catalogue);
  const [newest] = candidates;
  const first = follow(newest);
  if (first.wal.end < newest.backup.end) throw await inconsistent(first, candidates, follow);
  if (target.targetName !== undefined) return followName(target.targetName, candidates, follow);
  const end = await readEnd(first.wal, first.reader, heartbeat);
  const reach = { ...first, ...end };
  const followed = { ...first, end, targetTime: wanted.time };
  if (wanted.time !== undefined) return { ...followed, ...(await stopAtTime(wanted.time, target, reach)) };
  if (wanted.lsn !== undefined) {
    if (end.lastRecord === undefined || wanted.lsn > end.lastRecord) throw refuseBeyond(formatLsn(wanted.lsn), reach);
    return { ...followed, stop: wanted.lsn };
  }
  if (target.targetXID === undefined && first.wal.missing !== undefined)
    throw refuseBeyond('the end of the archive', reach);
  return { ...followed, stop: undefined };
}

interface Following {
  readonly candidate: Candidate;
  readonly wal: NeededWal;
  readonly reader: WalReader;
}
type Follow = (candidate: Candidate, until?: Lsn) => Following;

/** One reader for each backup: a backup may have WAL of its own. */
function walFollower({ archive, identity, manifests, files }: ReadCatalogue, signal: AbortSignal): Follow {
  const plain = new Map<number, WalReader>();
  return (candidate, until) => {
    const { backup, path } = candidate;
    const manifest = manifests.get(backup);
    const own = manifest !== undefined && manifest.physical.wal.length > 0;
    const source = own
      ? openWalSource(archive, { store: archive.store, path: backup.path, manifest, identity })
      : archive;
    const reader = (own ? undefined : plain.get(backup.segmentSize)) ?? walReader(source, backup.segmentSize, signal);
    if (!own) plain.set(backup.segmentSize, reader);
    return { candidate, wal: neededWal(backup, path, files, until), reader };
  };
}

function wantedOf(target: Target): Wanted {
  return {
    time: target.targetTime === undefined ? undefined : parseMoment(target.targetTime),
    lsn: target.targetLSN === undefined ? undefined : parseLsn(target.targetLSN),
    immediate: target.targetImmediate === true,
    targetTLI: target.targetTLI,
    backupID: target.backupID,
  };
}

/** The newest that has all the WAL up to its own end. */
function followImmediate(
  candidates: readonly [Candidate, ...Candidate[]],
  follow: Follow,
  { files }: ReadCatalogue,
): Followed {
  for (const candidate of candidates) {
    const { wal } = follow(candidate, candidate.backup.end);
    if (wal.missing !== undefined) continue;
    const stop = candidate.backup.end;
    const end = { endOfRecords: stop, lastRecord: undefined, lastCommit: undefined };
    return { candidate, wal, end, targetTime: undefined, stop };
  }
  const [newest] = candidates;
  const { missing } = neededWal(newest.backup, newest.path, files, newest.backup.end);
  throw refuseHole(missing ?? '', `, which backup ${newest.backup.backupID} needs to become whole`, undefined);
}

/** A hole before the newest backup's end. An older one may still lead somewhere. */
async function inconsistent({ candidate, wal }: Following, candidates: readonly Candidate[], follow: Follow) {
  const { missing } = wal.missing === undefined ? follow(candidate, candidate.backup.end).wal : wal;
  const why = `, which backup ${candidate.backup.backupID} needs to become whole`;
  for (const other of candidates.slice(1)) {
    const older = follow(other);
    if (older.wal.end < other.backup.end) continue;
    const reach: Reach = { ...older, ...(await readEnd(older.wal, older.reader)) };
    return refuseHole(missing ?? '', why, reach);
  }
  return refuseHole(missing ?? '', why, undefined);
}

/** Commits that go on at the same time are not written in the order of their times. */
const minute = 60_000_000;

/** The end of the segment in which replay meets the first commit after the moment: without one it never stops. */
async function stopAtTime(
  time: Moment,
  target: Target,
  reach: Following & Reach,
): Promise<Pick<Followed, 'stop' | 'clockAhead'>> {
  const isAfter = (commit: Moment) => (target.exclusive ? commit >= time : commit > time);
  if (reach.lastCommit === undefined || !isAfter(reach.lastCommit)) throw refuseBeyond(formatMoment(time), reach);
  const segment = await findStop(reach.wal, reach.reader, isAfter);
  const { segmentSize } = reach.candidate.backup;
  if (segment === undefined) return { stop: reach.wal.end };
  const end = beginOf(segment.name, segmentSize) + BigInt(segmentSize);
  return {
    stop: end < reach.wal.end ? end : reach.wal.end,
    ...(segment.commit > reach.lastCommit + minute ? { clockAhead: segment.commit } : {}),
  };
}

/** Replay stops at the first restore point of that name, which must not come before the backup's end. */
async function followName(
  name: string,
  candidates: readonly [Candidate, ...Candidate[]],
  follow: Follow,
): Promise<Followed> {
  let seen: readonly RestorePoint[] = [];
  for (const candidate of candidates) {
    const following = follow(candidate);
    const { backup } = candidate;
    if (following.wal.end < backup.end) continue;
    seen = (await findRestorePoints(following.wal, following.reader)).filter(({ lsn }) => lsn > backup.begin);
    const point = seen.find((each) => each.name === name);
    if (point === undefined || point.lsn <= backup.end) continue;
    const end = await readEnd(following.wal, following.reader);
    return { ...following, end, targetTime: undefined, stop: point.lsn };
  }
  const [newest] = candidates;
  const following = follow(newest);
  if (following.wal.missing !== undefined) {
    const reach = { ...following, ...(await readEnd(following.wal, following.reader)) };
    throw refuseBeyond(`the restore point ${JSON.stringify(name)}`, reach);
  }
  throw noSuchName(name, seen, candidates);
}

function noSuchName(name: string, seen: readonly RestorePoint[], candidates: readonly Candidate[]) {
  const oldest = candidates.at(-1)?.backup;
  const last = seen.slice(-5).map((point) => `${JSON.stringify(point.name)} (${point.time.toISOString()})`);
  return terminal(
    'RestorePointNotFound',
    `There is no restore point ${JSON.stringify(name)} in the archived WAL after backup ${oldest?.backupID}, which became whole at ${oldest?.time.toISOString()}. ${
      last.length === 0
        ? 'There is none of any name: recover to a targetTime or a targetLSN.'
        : `The last of those that are there: ${last.join(', ')}. Name one of them, or recover to a targetTime or a targetLSN.`
    }`,
  );
}
