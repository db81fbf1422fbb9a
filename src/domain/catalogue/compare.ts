/** A BackupRun of the namespace, in so far as the catalogue looks at it. */
export interface KnownRun {
  readonly name: string;
  readonly uid: string;
  readonly hold: boolean;
  readonly backupID: string | undefined;
  readonly checksum: string | undefined;
  /** Of a run that was re-created and whose status was never written: where its backup lies, and in which repository. */
  readonly unwritten: { readonly path: string; readonly repository: string } | undefined;
  readonly places: readonly KnownPlace[];
}

export interface KnownPlace {
  readonly name: string;
  readonly state: string;
  readonly path: string;
  readonly held: boolean;
  readonly lost: boolean;
}

/** A folder of the repository, which may be a backup's. */
export interface ListedBackup {
  readonly path: string;
  readonly backupID: string;
  /** As the repository has it. */
  readonly namespace: string;
  readonly policy: string;
  /** When the store got the manifest; null where there is none; undefined where only the folder was listed. */
  readonly manifestTime: Date | null | undefined;
  readonly held: boolean | undefined;
  readonly bytes: number;
}

export interface Compared {
  /** Those that may be new here, the newest first. */
  readonly fresh: readonly ListedBackup[];
  /** Whose backup is not in the listing. */
  readonly missing: readonly OfPlace[];
  /** Whose backup was lost, and is in the listing. */
  readonly found: readonly OfPlace[];
  /** Whose hold the repository does not know yet, or knows still. */
  readonly holds: readonly OfPlace[];
  /** Runs that count as stored there. */
  readonly stored: number;
}

export interface OfPlace {
  readonly run: KnownRun;
  readonly place: KnownPlace;
}

interface Comparison {
  readonly repository: string;
  /** The namespace of the runs. */
  readonly namespace: string;
  /** Those that were listed, as the repository has them. */
  readonly namespaces: readonly string[];
  readonly runs: readonly KnownRun[];
  readonly listed: ReadonlyMap<string, ListedBackup>;
  /** What the store got before was made known once; undefined: nothing was, or all is to be again. */
  readonly knownUntil: Date | undefined;
  readonly limits: readonly { readonly policy: string; readonly succeeded: number }[];
}

/** No backup takes longer than this, or only its folder's name would not tell that it is new. */
const longestBackup = 7 * 86_400_000;

/** What the cluster has of a repository, and what the repository has; pure. */
export function compare(comparison: Comparison): Compared {
  const { repository, namespaces, runs, listed } = comparison;
  const known = new Set<string>();
  const missing: OfPlace[] = [];
  const found: OfPlace[] = [];
  const holds: OfPlace[] = [];
  let stored = 0;
  for (const run of runs) {
    for (const place of run.places) {
      if (place.name !== repository) continue;
      known.add(place.path);
      const there = listed.get(place.path);
      const isThere = there !== undefined && there.manifestTime !== null;
      if (place.state === 'Stored') {
        // What was not looked at is not missing.
        const isJudged = namespaces.includes(place.path.split('/')[0] ?? '');
        stored += Number(isJudged);
        if (isJudged && !isThere) missing.push({ run, place });
        if (isUntold(run, place, there)) holds.push({ run, place });
      } else if (place.lost && isThere) found.push({ run, place });
    }
  }
  const unwritten = new Set(runs.flatMap(({ unwritten: left }) => (left?.repository === repository ? left.path : [])));
  const wanted = newestOf(comparison);
  const fresh = [...listed.values()]
    .filter(
      (each) =>
        !known.has(each.path) &&
        each.manifestTime !== null &&
        (unwritten.has(each.path) || (mayBeNew(each, comparison) && wanted(each))),
    )
    .sort(newestFirst);
  return { fresh, missing, found, holds, stored };
}

/** What another cluster holds is not this one's to let go. */
function isUntold({ hold }: KnownRun, place: KnownPlace, there: ListedBackup | undefined): boolean {
  return hold !== place.held || (hold && there?.held === false);
}

/** Where only the folder is known, by the second in which the backup began, which its ID tells. */
function mayBeNew({ manifestTime, backupID }: ListedBackup, { knownUntil }: Comparison): boolean {
  if (knownUntil === undefined) return true;
  if (manifestTime instanceof Date) return isNew(manifestTime, knownUntil);
  const began = beganAt(backupID);
  return began === undefined || began.getTime() > knownUntil.getTime() - longestBackup;
}

export function isNew(manifestTime: Date, knownUntil: Date | undefined): boolean {
  return knownUntil === undefined || manifestTime >= knownUntil;
}

/** As many of each policy as its historyLimits would leave; those that are held are never too many. */
function newestOf({ listed, limits, namespace }: Comparison): (backup: ListedBackup) => boolean {
  const least = new Map<string, string>();
  for (const { policy, succeeded } of limits) {
    const own = [...listed.values()].filter(
      (each) => each.namespace === namespace && each.policy === policy && each.manifestTime !== null,
    );
    const last = own.sort(newestFirst)[succeeded - 1];
    if (last !== undefined) least.set(policy, last.backupID);
  }
  return ({ namespace: origin, policy, backupID, held }) =>
    origin !== namespace || held === true || backupID >= (least.get(policy) ?? '');
}

function newestFirst(one: ListedBackup, other: ListedBackup): number {
  return one.backupID < other.backupID ? 1 : one.backupID > other.backupID ? -1 : one.path < other.path ? 1 : -1;
}

/** As backupIDFor() puts it. */
export function beganAt(backupID: string): Date | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-/.exec(backupID);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time.getTime()) ? undefined : time;
}
