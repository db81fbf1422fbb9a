import { formatLsn, type Lsn } from '../wal/lsn.ts';
import { coversSince, type Summaries } from './summaries.ts';

export type IncrementType = 'Differential' | 'Incremental';
export type BackupType = 'Full' | IncrementType;

/** What is known of one complete physical backup, in one repository. */
export interface ParentCandidate {
  readonly backupID: string;
  readonly type: BackupType;
  /** Of an increment: what it stands on, by name and by the digest of that one's manifest. */
  readonly parent: { readonly backupID: string; readonly checksum: string } | undefined;
  /** Digest of its manifest, which is another for each encryption. */
  readonly checksum: string;
  /** The scheme and the recipients; empty where it is not encrypted. */
  readonly encryptedFor: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** As SHOW server_version said it. */
  readonly version: string;
  readonly begin: Lsn;
  readonly completionTime: Date;
  readonly dataChecksums: boolean;
  /** Whether who makes backups can read which files it holds. */
  readonly isListed: boolean;
  /** Whether every object that its manifest names lies there in its size. */
  readonly isWhole: boolean;
  /** A verification of it has failed. */
  readonly isDistrusted: boolean;
}

export interface Wanted {
  readonly type: IncrementType;
  readonly server: {
    readonly systemIdentifier: string;
    readonly timeline: number;
    readonly version: string;
    readonly dataChecksums: boolean;
    /** How far its WAL goes; undefined where it did not tell. */
    readonly position: Lsn | undefined;
  };
  readonly summaries: Summaries;
  /** Of this policy. At least one; the first is read first. */
  readonly repositories: readonly { readonly name: string; readonly backups: readonly ParentCandidate[] }[];
}

/** Why a full backup is made although an increment was asked for. */
export interface Forced {
  readonly reason: string;
  /** Sentences that say what to do, where there is something. */
  readonly message: string;
}

/** `chain`: all that the increment stands on, its parent first, the full backup last. */
export type Choice =
  | { readonly kind: 'Increment'; readonly parent: ParentCandidate; readonly chain: readonly ParentCandidate[] }
  | ({ readonly kind: 'Full' } & Forced);

/**
 * What an increment is the difference to: the newest backup that can be relied on, or the newest such full one for a
 * differential; pure. Without one the backup is to be full, for the reason that the newest one cannot be used.
 */
export function chooseParent(wanted: Wanted): Choice {
  const { type, summaries, repositories } = wanted;
  if (!summaries.enabled) return { kind: 'Full', ...summarizeWalOff };
  const candidates = (repositories[0]?.backups ?? [])
    .filter((backup) => type === 'Incremental' || backup.type === 'Full')
    .toSorted((one, other) => other.completionTime.getTime() - one.completionTime.getTime());
  let newest: Forced | undefined;
  for (const parent of candidates) {
    const judged = judge(parent, wanted);
    if (!('reason' in judged)) return { kind: 'Increment', parent, chain: judged.chain };
    newest ??= judged;
  }
  return { kind: 'Full', ...(newest ?? noParent(type)) };
}

type Judged = { readonly chain: readonly ParentCandidate[] } | Forced;

function judge(parent: ParentCandidate, wanted: Wanted): Judged {
  const { server, summaries, repositories } = wanted;
  const chains = repositories.map(({ name, backups }) => ({ name, chain: chainIn(backups, parent) }));
  const without = chains.find(({ chain }) => chain === undefined);
  if (without !== undefined) return notThere(parent, without.name);
  const [chain = []] = chains.map((each) => each.chain ?? []);
  for (const each of chains) {
    const damaged = each.chain?.find(({ isWhole }) => !isWhole);
    if (damaged !== undefined) return notWhole(damaged, each.name);
  }
  const reason =
    chain.map((each) => unlike(each, server)).find((each) => each !== undefined) ??
    chain.map(untrusted).find((each) => each !== undefined);
  if (reason !== undefined) return reason;
  if (server.position !== undefined && parent.begin > server.position) return wentBack(parent, server.position);
  if (!parent.isListed) return unlisted(parent);
  const { available } = summaries;
  if (available !== undefined && !coversSince(available, parent.timeline, parent.begin)) return summariesGone(parent);
  return { chain };
}

/** The chain of the same backup in one of the repositories. */
function chainIn(backups: readonly ParentCandidate[], backup: ParentCandidate): readonly ParentCandidate[] | undefined {
  const own = backups.find((each) => isSame(each, backup));
  return own === undefined ? undefined : chainOf(own, backups);
}

/** Of different repositories. */
function isSame(one: ParentCandidate, other: ParentCandidate): boolean {
  if (one.encryptedFor === other.encryptedFor)
    return one.backupID === other.backupID && one.checksum === other.checksum;
  const same = (['backupID', 'systemIdentifier', 'timeline', 'begin'] as const).every((key) => one[key] === other[key]);
  return same && one.completionTime.getTime() === other.completionTime.getTime();
}

/** By name and digest: the backup itself first, the full one last; undefined where one is missing or was swapped. */
function chainOf(backup: ParentCandidate, backups: readonly ParentCandidate[]): readonly ParentCandidate[] | undefined {
  const chain: ParentCandidate[] = [];
  for (let name: ParentCandidate['parent'] = backup; name !== undefined; ) {
    const found = findBackup(name, backups);
    if (found === undefined || chain.includes(found)) return undefined;
    chain.push(found);
    if (found.type === 'Full') return chain;
    name = found.parent;
  }
  return undefined;
}

function findBackup(
  { backupID, checksum }: Pick<ParentCandidate, 'backupID' | 'checksum'>,
  backups: readonly ParentCandidate[],
): ParentCandidate | undefined {
  return backups.find((each) => each.backupID === backupID && each.checksum === checksum);
}

function unlike(backup: ParentCandidate, server: Wanted['server']): Forced | undefined {
  const { backupID, systemIdentifier, timeline, version, dataChecksums } = backup;
  if (systemIdentifier !== server.systemIdentifier)
    return forced(
      'OtherServer',
      `Backup ${backupID} is of the server ${systemIdentifier}, and this one is ${server.systemIdentifier}.`,
    );
  if (timeline !== server.timeline)
    return forced(
      'TimelineSwitched',
      `The server is on timeline ${server.timeline}, and backup ${backupID} on timeline ${timeline}: it was promoted or recovered since. The next increments stand on this full backup.`,
    );
  if (version !== server.version)
    return forced(
      'VersionChanged',
      `The server is PostgreSQL ${server.version}, and backup ${backupID} was made by ${version}: increments do not go across an update. The next ones stand on this full backup.`,
    );
  if (dataChecksums !== server.dataChecksums)
    return forced(
      'ChecksumsChanged',
      `Data checksums were switched ${server.dataChecksums ? 'on' : 'off'} since backup ${backupID}, which changes pages without WAL. The next increments stand on this full backup.`,
    );
  return undefined;
}

function untrusted({ backupID, isDistrusted }: ParentCandidate): Forced | undefined {
  if (!isDistrusted) return undefined;
  return forced(
    'ParentFailedVerification',
    `Backup ${backupID} has failed its verification, so nothing is made to stand on it.`,
  );
}

export const summarizeWalOff: Forced = forced(
  'SummarizeWalOff',
  'The setting summarize_wal is off, so the server does not know what has changed since an earlier backup. As a superuser, run: ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf(); The first full backup after that can have increments.',
);

function noParent(type: IncrementType): Forced {
  return forced(
    'NoParent',
    `There is no ${type === 'Differential' ? 'full physical' : 'physical'} backup of this policy that it could be the difference to. The next increments stand on this full backup.`,
  );
}

function notThere({ backupID }: ParentCandidate, repository: string): Forced {
  return forced(
    'ParentMissing',
    `Backup ${backupID}, or one that it stands on, is not in the repository ${repository}, or is not the one that was stored there first. Find out who deletes or writes in it.`,
  );
}

function notWhole({ backupID }: ParentCandidate, repository: string): Forced {
  return forced(
    'ParentDamaged',
    `Objects of backup ${backupID} are missing in the repository ${repository} or have another size, so nothing is made to stand on it. Find out who deletes or writes there; that backup cannot be restored from it.`,
  );
}

function wentBack({ backupID, begin }: ParentCandidate, position: Lsn): Forced {
  return forced(
    'ServerBehind',
    `The server's WAL ends at ${formatLsn(position)}, before backup ${backupID} began at ${formatLsn(begin)}: it is a standby that lags, or its volume was set back.`,
  );
}

function unlisted({ backupID }: ParentCandidate): Forced {
  return forced(
    'ParentUnreadable',
    `Backup ${backupID} is encrypted and has no list of its files that can be read without the identity: it was made while summarize_wal was off, or by an earlier version. The next increments stand on this full backup.`,
  );
}

function summariesGone({ backupID, begin, timeline }: ParentCandidate): Forced {
  return forced(
    'SummariesGone',
    `The server has no unbroken WAL summaries from ${formatLsn(begin)} on timeline ${timeline} on, where backup ${backupID} began: summarize_wal was off meanwhile, or wal_summary_keep_time is shorter than the time since. Let wal_summary_keep_time be longer than the time between two full backups.`,
  );
}

function forced(reason: string, message: string): Forced {
  return { reason, message };
}
