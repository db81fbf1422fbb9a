import type { Retention } from '../../../../src/api/retention.ts';
import type { Catalogue } from '../../../../src/domain/recovery/catalogue.ts';
import { chooseBackups } from '../../../../src/domain/recovery/choose-backup.ts';
import { neededWal } from '../../../../src/domain/recovery/needed-wal.ts';
import { judgeBackups } from '../../../../src/domain/retention/judge-backups.ts';
import { prunableWal } from '../../../../src/domain/retention/prunable-wal.ts';
import type { Method, RepositoryBackup } from '../../../../src/domain/retention/repository-backup.ts';
import type { ServerWal } from '../../../../src/domain/retention/server-wal.ts';
import { windowStart } from '../../../../src/domain/retention/window.ts';
import type { Ancestor } from '../../../../src/domain/wal/timeline-history.ts';

export const size = 16 * 1024 ** 2;
const hour = 3_600_000;
export const system = '7000000000000000001';

/** A state that the server once was in: where replay would have to stop. */
interface Instant {
  readonly time: Date;
  readonly timeline: number;
  readonly lsn: bigint;
}

/** A server and its repository, in a few numbers. */
export class History {
  now = new Date('2024-02-28T20:00:00Z');
  /** All that there ever was. */
  readonly ever: RepositoryBackup[] = [];
  backups: RepositoryBackup[] = [];
  readonly instants: Instant[] = [];
  readonly histories = new Map<number, readonly Ancestor[]>();
  files = new Map<number, Map<bigint, Date>>();
  /** Never pruned. */
  readonly everFiles = new Map<number, Set<bigint>>();
  timeline = 1;
  lsn = BigInt(size) * 3n;
  readonly #starts = new Map([[1, this.lsn]]);

  /** Time passes, the server writes, and what is whole is archived. */
  write(hours: number, bytes: number): void {
    this.now = new Date(this.now.getTime() + hours * hour);
    this.lsn += BigInt(bytes);
    this.instants.push({ time: this.now, timeline: this.timeline, lsn: this.lsn });
    this.#archive();
  }

  #archive(): void {
    const own = this.files.get(this.timeline) ?? new Map<bigint, Date>();
    const ever = this.everFiles.get(this.timeline) ?? new Set<bigint>();
    const start = (this.#starts.get(this.timeline) ?? 0n) / BigInt(size);
    for (let number = start; number < this.lsn / BigInt(size); number += 1n) {
      if (ever.has(number)) continue;
      own.set(number, this.now);
      ever.add(number);
    }
    if (own.size > 0) this.files.set(this.timeline, own);
    this.everFiles.set(this.timeline, ever);
  }

  /** The server is brought back to `share` of what its timeline has, where that can be restored; else a standby is promoted. */
  fork(share: number): void {
    const start = this.#starts.get(this.timeline) ?? 0n;
    const earlier = start + ((this.lsn - start) * BigInt(Math.round(share * 1000))) / 1000n;
    const isThere = this.restorableNow()({ time: this.now, timeline: this.timeline, lsn: earlier });
    const at = isThere ? earlier : this.lsn;
    const ancestors = [...(this.histories.get(this.timeline) ?? []), { timeline: this.timeline, end: at }];
    this.timeline = Math.max(this.timeline, ...this.histories.keys()) + 1;
    this.histories.set(this.timeline, ancestors);
    this.#starts.set(this.timeline, at);
    this.lsn = at;
    this.write(1, size);
  }

  backUp(method: Method, options: { readonly complete?: boolean; readonly increment?: boolean } = {}): void {
    const { complete = true, increment = false } = options;
    const startTime = this.now;
    const begin = this.lsn;
    const { timeline } = this;
    this.write(1, size + size / 2);
    const parent = this.backups.findLast((each) => each.method === 'Physical' && each.physical?.timeline === timeline);
    const backupID = `${String(this.ever.length).padStart(4, '0')}-${method}`;
    const stands = method === 'Physical' && increment && parent !== undefined;
    const backup: RepositoryBackup = {
      backupID,
      run: `run-${backupID}`,
      path: backupID,
      systemIdentifier: system,
      method,
      type: stands ? 'Incremental' : 'Full',
      parent: stands ? parent.backupID : undefined,
      startTime,
      completionTime: this.now,
      complete: method === 'Physical' || complete,
      bytes: 1,
      held: false,
      physical:
        method === 'Logical'
          ? undefined
          : {
              backupID,
              path: backupID,
              timeline,
              begin,
              end: this.lsn,
              time: this.now,
              segmentSize: size,
              ownWal: false,
            },
    };
    this.ever.push(backup);
    this.backups.push(backup);
  }

  hold(place: number, held: boolean): void {
    const index = this.backups.length === 0 ? -1 : place % this.backups.length;
    this.backups = this.backups.map((backup, at) => (at === index ? { ...backup, held } : backup));
  }

  get wal(): ServerWal {
    const newest = (files: ReadonlyMap<bigint, Date>) =>
      [...files.values()].reduce((one, other) => (other > one ? other : one), new Date(0));
    return {
      systemIdentifier: system,
      timelines: new Map([...this.files].map(([timeline, files]) => [timeline, { newest: newest(files) }])),
      histories: this.histories,
      unfinishedBackups: false,
    };
  }

  /** What retention would do at once, were there no delay. */
  expire(retention: Retention, timeZone: string): void {
    const { now, wal } = this;
    const timeZones = { Logical: timeZone, Physical: timeZone };
    const verdicts = judgeBackups({ retention, backups: this.backups, wals: [wal], timeZones, now });
    const kept = new Set(verdicts.filter(({ keep }) => keep).map(({ backup }) => backup));
    this.backups = this.backups.filter((backup) => kept.has(backup));
    const start = windowStart(retention.recoveryWindow, now);
    for (const { timeline, before } of prunableWal({ wals: [wal], kept: this.backups, windowStart: start, now })) {
      const files = this.files.get(timeline);
      for (const number of [...(files?.keys() ?? [])])
        if (before === undefined || number < before) files?.delete(number);
      if (files?.size === 0) this.files.delete(timeline);
    }
  }

  /** Whether a recovery to an instant would be planned, by what plans recoveries. */
  #planner(backups: readonly RepositoryBackup[], files: Iterable<readonly [number, Iterable<bigint>]>) {
    const catalogue: Catalogue = {
      backups: backups
        .flatMap(({ physical, type }) => (physical === undefined || type !== 'Full' ? [] : [physical]))
        .toReversed(),
      files: new Map(
        [...files].map(([timeline, numbers]) => [timeline, { segments: new Set(numbers), partials: new Set() }]),
      ),
      histories: this.histories,
    };
    return (instant: Instant): boolean => {
      try {
        const wanted = { lsn: instant.lsn, immediate: false, targetTLI: instant.timeline, backupID: '' };
        return chooseBackups(wanted, catalogue).some(
          ({ backup, path }) => neededWal(backup, path, catalogue.files, instant.lsn).missing === undefined,
        );
      } catch {
        return false;
      }
    };
  }

  restorableNow(): (instant: Instant) => boolean {
    return this.#planner(
      this.backups,
      [...this.files].map(([timeline, files]) => [timeline, files.keys()]),
    );
  }

  /** Had nothing ever been deleted. */
  restorableEver(): (instant: Instant) => boolean {
    return this.#planner(this.ever, this.everFiles);
  }
}
