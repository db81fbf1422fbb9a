import type { BackupPolicy, BackupRun, PitrRecovery } from '../../api/kinds.ts';
import { cut, type Span } from './spans.ts';

export type MarkState = 'Completed' | 'Failed' | 'Cancelled' | 'Running' | 'Expired';

/** One backup. Times are milliseconds since 1970, as everywhere in a drawing. */
export interface Mark {
  readonly run: string;
  readonly state: MarkState;
  readonly from: number;
  /** The moment that a complete backup stands for: its end. */
  readonly to: number;
  readonly held: boolean;
  readonly storedBytes: string | undefined;
  readonly error: string | undefined;
}

export interface Lane {
  readonly method: 'Physical' | 'Logical';
  readonly type: 'Full' | 'Differential' | 'Incremental';
  readonly marks: readonly Mark[];
}

/** A moment that was brought back: a backup that was verified, or what a drill or another recovery has reached. */
export interface Proof {
  readonly name: string;
  readonly kind: 'Backup' | 'Recovery';
  /** The moment. */
  readonly at: number;
  /** When that was done. */
  readonly on: number;
}

/** What a policy's backups, WAL and proofs look like on a line of time: places and facts, nothing of how they are shown. */
export interface Drawing {
  readonly namespace: string;
  readonly policy: string;
  readonly from: number;
  /** The present. */
  readonly to: number;
  readonly lanes: readonly Lane[];
  /** Undefined where no WAL is archived. */
  readonly wal: { readonly covered: readonly Span[]; readonly gaps: readonly Span[] } | undefined;
  readonly restorable: readonly Span[];
  /** As the policy's status says it, whether or not all of it is drawn. */
  readonly window: Span | undefined;
  /** Gaps of which no time is known: where they lie in `covered` and `restorable` cannot be said. */
  readonly unplacedGaps: readonly string[];
  readonly timelines: readonly (Span & { readonly timeline: number })[];
  readonly verified: readonly Proof[];
}

const day = 86_400_000;
const longestByDefault = 90 * day;
const shortest = 3_600_000;

export interface Seen {
  readonly runs: readonly BackupRun[];
  /** In the policy's namespace; others are left out. */
  readonly recoveries?: readonly PitrRecovery[];
  readonly now: Date;
  /** Where the line begins; by default at the oldest thing to be seen, but no more than 90 days ago. */
  readonly since?: Date | undefined;
}

export function drawTimeline(policy: BackupPolicy, { runs, recoveries = [], now, since }: Seen): Drawing {
  const { metadata, spec, status } = policy;
  const to = now.getTime();
  const own = runs.filter((run) => run.spec.policyRef.name === metadata.name);
  const marks = own.map((run) => ({ run, mark: markOf(run, to) })).toSorted((a, b) => a.mark.to - b.mark.to);
  const window = spanOf(status?.restorable?.earliestTime, status?.restorable?.latestTime);
  const oldest = Math.min(window?.from ?? to, ...marks.map(({ mark }) => mark.from));
  const from = Math.min(to - shortest, since?.getTime() ?? Math.max(oldest, to - longestByDefault));
  const visible = marks.filter(({ mark }) => mark.to >= from);
  const placed = gapsOf(policy);
  return {
    namespace: metadata.namespace,
    policy: metadata.name,
    ...{ from, to, window },
    lanes: lanesOf(visible),
    wal: spec.walArchiving.mode === 'None' ? undefined : walOf(window, placed.gaps, { from, to }),
    restorable: cut(window === undefined ? [] : [window], unrestorable(placed.gaps, own, to), { from, to }),
    unplacedGaps: placed.unplaced,
    timelines: timelinesOf(policy, visible, { from, to }),
    verified: [
      ...own.flatMap(proofOfRun),
      ...recoveries.flatMap((recovery) => proofOfRecovery(metadata.name, recovery)),
    ]
      .filter(({ at }) => at >= from && at <= to)
      .toSorted((a, b) => a.at - b.at),
  };
}

function proofOfRun({ metadata, status }: BackupRun): readonly Proof[] {
  const [at, on] = [Date.parse(status?.completionTime ?? ''), Date.parse(status?.verified?.time ?? '')];
  return Number.isNaN(at) || Number.isNaN(on) ? [] : [{ name: metadata.name, kind: 'Backup', at, on }];
}

function proofOfRecovery(policy: string, { metadata, spec, status }: PitrRecovery): readonly Proof[] {
  if (spec.source.policyRef?.name !== policy || spec.dryRun || status?.phase !== 'Completed') return [];
  const [at, on] = [Date.parse(status.reached?.time ?? ''), Date.parse(status.completionTime ?? '')];
  return Number.isNaN(at) || Number.isNaN(on) ? [] : [{ name: metadata.name, kind: 'Recovery', at, on }];
}

function spanOf(from: string | undefined, to: string | undefined): Span | undefined {
  const span = { from: Date.parse(from ?? ''), to: Date.parse(to ?? '') };
  return span.from <= span.to ? span : undefined;
}

function markOf({ metadata, spec, status }: BackupRun, now: number): Mark {
  const from = Date.parse(status?.startTime ?? metadata.creationTimestamp);
  const end = Date.parse(status?.completionTime ?? '');
  const phase = status?.phase ?? 'Pending';
  return {
    run: metadata.name,
    state: phase === 'Pending' ? 'Running' : phase,
    from,
    to: Math.min(now, Math.max(from, Number.isNaN(end) ? (phase === 'Running' ? now : from) : end)),
    held: spec.hold,
    storedBytes: status?.size?.stored,
    error: status?.error || undefined,
  };
}

interface Placed {
  readonly run: BackupRun;
  readonly mark: Mark;
}

const methods = ['Physical', 'Logical'] as const;
const types = ['Full', 'Differential', 'Incremental'] as const;

function lanesOf(placed: readonly Placed[]): readonly Lane[] {
  return methods.flatMap((method) =>
    types.flatMap((type) => {
      const own = placed.filter(({ run }) => run.spec.method === method && run.spec.type === type);
      return own.length === 0 ? [] : [{ method, type, marks: own.map(({ mark }) => mark) }];
    }),
  );
}

function gapsOf({ status }: BackupPolicy): { readonly gaps: readonly Span[]; readonly unplaced: readonly string[] } {
  const gaps: Span[] = [];
  const unplaced: string[] = [];
  for (const { timeline, fromWal, toWal, fromTime, toTime } of status?.restorable?.gaps ?? []) {
    const span = spanOf(fromTime, toTime);
    if (span === undefined) unplaced.push(`${fromWal} to ${toWal} on timeline ${timeline}`);
    else gaps.push(span);
  }
  return { gaps, unplaced };
}

function walOf(window: Span | undefined, gaps: readonly Span[], shown: Span) {
  return { covered: cut(window === undefined ? [] : [window], gaps, shown), gaps: cut(gaps, [], shown) };
}

/** After a gap nothing is restorable until a base backup that began behind it is complete. */
function unrestorable(gaps: readonly Span[], runs: readonly BackupRun[], now: number): readonly Span[] {
  const bases = runs.flatMap(({ spec, status }) => {
    const base = spanOf(status?.startTime, status?.completionTime);
    return spec.method === 'Physical' && status?.phase === 'Completed' && base !== undefined ? [base] : [];
  });
  return gaps.map(({ from, to }) => ({
    from,
    to: Math.min(now, ...bases.filter((base) => base.from >= to).map((base) => base.to)),
  }));
}

/** Each from where it was first seen; the promotion itself lies somewhere before. */
function timelinesOf(policy: BackupPolicy, placed: readonly Placed[], shown: Span): Drawing['timelines'] {
  const seen = placed.flatMap(({ run, mark }) => {
    const timeline = run.status?.server?.timeline;
    return timeline === undefined ? [] : [{ timeline, at: Math.max(mark.from, shown.from) }];
  });
  const present = policy.status?.wal?.timeline ?? policy.status?.server?.timeline;
  const all = [
    ...seen.toSorted((a, b) => a.at - b.at),
    ...(present === undefined ? [] : [{ timeline: present, at: shown.to }]),
  ];
  const starts = all.filter(({ timeline }, index) => timeline !== all[index - 1]?.timeline);
  return starts.map(({ timeline, at }, index) => ({
    timeline,
    from: index === 0 ? Math.min(at, shown.to) : at,
    to: starts[index + 1]?.at ?? shown.to,
  }));
}
