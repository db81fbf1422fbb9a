import type { Retention } from '../../api/retention.ts';
import { windowBases } from './recovery-window.ts';
import { chainOf, keyOf, type Method, newestFirst, type RepositoryBackup } from './repository-backup.ts';
import { countingRules } from './rules.ts';
import { currentServer, type ServerWal } from './server-wal.ts';
import { windowStart } from './window.ts';

export interface Verdict {
  readonly backup: RepositoryBackup;
  readonly keep: boolean;
  /** Why, for a person. */
  readonly reason: string;
}

export interface Judged {
  readonly retention: Retention;
  /** Of one repository: each stands by itself. */
  readonly backups: readonly RepositoryBackup[];
  /** Of every server that the policy has protected into it. */
  readonly wals: readonly ServerWal[];
  readonly timeZones: Readonly<Record<Method, string>>;
  readonly now: Date;
}

/** The newest backup of a server that another one has replaced: a policy that meets an empty server by mistake is noticed by then. */
export const earlierServerDays = 30;

/**
 * Which backups stay, and why; pure. The rules look at each method by itself, over all servers that the policy has
 * protected. What no rule keeps goes, but the newest complete backup of a method never does, and an increment keeps what
 * it stands on. One that failed its verification counts for none: the rules look past it to those that are older.
 */
export function judgeBackups(judged: Judged): readonly Verdict[] {
  const byKey = new Map(judged.backups.map((backup) => [keyOf(backup), backup]));
  const reasons = new Map<RepositoryBackup, string[]>();
  const keep = (backup: RepositoryBackup, why: string) => reasons.set(backup, [...(reasons.get(backup) ?? []), why]);
  for (const backup of judged.backups) if (backup.held) keep(backup, 'hold');
  const superseded = new Set<RepositoryBackup>();
  for (const method of ['Logical', 'Physical'] as const) {
    const own = newestFirst(judged.backups.filter((backup) => backup.method === method));
    const complete = own.filter((backup) => chainOf(backup, byKey) !== undefined);
    const good = complete.filter((backup) => chainOf(backup, byKey)?.every(({ failed }) => failed !== true));
    for (const [backup, why] of keptOf({ ...judged, method, own, complete: good })) keep(backup, why);
    if (good.length < complete.length) keepFailed({ ...judged, method, own, complete }, good, keep);
    const [newest] = good;
    for (const backup of own)
      if (newest !== undefined && backup.completionTime < newest.completionTime) superseded.add(backup);
  }
  keepParents(judged.backups, byKey, reasons);
  return newestFirst(judged.backups).map((backup) => {
    const why = reasons.get(backup);
    if (why !== undefined) return { backup, keep: true, reason: why.join(', ') };
    if (!superseded.has(backup)) return { backup, keep: true, reason: 'no newer complete backup' };
    return { backup, keep: false, reason: whyNot(backup, byKey, judged.retention) };
  });
}

/** One that failed its verification stays as long as it would if it had not: it takes nobody's place, and loses none. */
function keepFailed(
  ofMethod: OfMethod,
  good: readonly RepositoryBackup[],
  keep: (backup: RepositoryBackup, why: string) => void,
): void {
  for (const [backup, why] of keptOf(ofMethod))
    if (!good.includes(backup) && ofMethod.complete.includes(backup))
      keep(backup, `${why} (though it failed its verification)`);
}

interface OfMethod extends Judged {
  readonly method: Method;
  /** The newest first. */
  readonly own: readonly RepositoryBackup[];
  readonly complete: readonly RepositoryBackup[];
}

function keptOf(judged: OfMethod): readonly (readonly [RepositoryBackup, string])[] {
  const { method, complete, retention, timeZones } = judged;
  const counted = [...countingRules(complete, retention, timeZones[method])];
  return [
    ...(complete[0] === undefined ? [] : [[complete[0], 'newest'] as const]),
    ...inWindow(judged),
    ...counted.flatMap(([backup, rules]) => rules.map((rule) => [backup, rule] as const)),
    ...ofEarlierServers(judged),
  ];
}

/** Incomplete ones too: what they hold is of the window, and there may be nothing else of it. */
function inWindow({ method, own, complete, wals, backups, retention, now }: OfMethod) {
  const start = windowStart(retention.recoveryWindow, now);
  if (start === undefined) return [];
  const current = currentServer(wals, backups);
  const bases =
    method === 'Logical'
      ? complete.filter(({ completionTime }) => completionTime <= start).slice(0, 1)
      : wals.flatMap((wal) => windowBases(wal, complete, start, wal.systemIdentifier === current));
  return [
    ...own.filter(({ completionTime }) => completionTime > start).map((each) => [each, 'recoveryWindow'] as const),
    ...bases.map((each) => [each, 'recoveryWindow begins after it'] as const),
  ];
}

function ofEarlierServers({ complete, wals, backups, now }: OfMethod) {
  const current = currentServer(wals, backups);
  const since = now.getTime() - earlierServerDays * 86_400_000;
  const earlier = complete.filter(({ systemIdentifier }) => systemIdentifier !== current);
  const newest = earlier.filter(
    ({ systemIdentifier }, index) => earlier.findIndex((each) => each.systemIdentifier === systemIdentifier) === index,
  );
  return newest
    .filter(({ completionTime }) => completionTime.getTime() > since)
    .map((backup) => [backup, 'newest of an earlier server'] as const);
}

function keepParents(
  backups: readonly RepositoryBackup[],
  byKey: ReadonlyMap<string, RepositoryBackup>,
  reasons: Map<RepositoryBackup, string[]>,
): void {
  for (const backup of backups) {
    if (!reasons.has(backup)) continue;
    const seen = new Set([backup]);
    let parent = parentOf(backup, byKey);
    while (parent !== undefined && !seen.has(parent)) {
      seen.add(parent);
      reasons.set(parent, [...new Set([...(reasons.get(parent) ?? []), 'an increment stands on it'])]);
      parent = parentOf(parent, byKey);
    }
  }
}

function parentOf(backup: RepositoryBackup, byKey: ReadonlyMap<string, RepositoryBackup>) {
  return backup.parent === undefined ? undefined : byKey.get(keyOf({ ...backup, backupID: backup.parent }));
}

function whyNot(
  backup: RepositoryBackup,
  byKey: ReadonlyMap<string, RepositoryBackup>,
  { recoveryWindow }: Retention,
): string {
  if (chainOf(backup, byKey) === undefined) return 'incomplete, and a newer backup is complete';
  return recoveryWindow === undefined ? 'no rule keeps it' : 'outside recoveryWindow, and no other rule keeps it';
}
