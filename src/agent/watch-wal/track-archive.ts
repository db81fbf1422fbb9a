import {
  type ArchivedWal,
  contiguity,
  type Hole,
  readTimelineFiles,
  segmentNameOn,
  type TimelineFiles,
} from '../../domain/wal/contiguous.ts';
import { historyName, parseWalFileName, startOfSegment } from '../../domain/wal/file-name.ts';
import type { Lsn } from '../../domain/wal/lsn.ts';
import type { Ancestor } from '../../domain/wal/timeline-history.ts';
import type { CallOptions } from '../../repository/store.ts';
import type { ArchivedFile, WalArchive } from '../../repository/wal-archive.ts';

/** What the server says of itself in a tick. */
export interface ServerPosition {
  readonly timeline: number;
  /** Bytes. */
  readonly segmentSize: number;
  readonly current: Lsn;
  /** Up to where the server takes its WAL for archived; undefined where it does not know. */
  readonly acknowledged: { readonly timeline: number; readonly end: Lsn } | undefined;
}

/** What one repository holds of the server's WAL. */
export interface ArchiveState {
  readonly history: Omit<ArchivedWal, 'files'>;
  /** The end of what is archived without a hole after the last one that will stay; undefined where nothing is. */
  readonly end: Lsn | undefined;
  /** The beginning of that stretch. */
  readonly from: Lsn | undefined;
  /** When the segment before `end` was stored, as far as it is known. */
  readonly storedTime: Date | undefined;
  /** WAL that is gone for good: later WAL is archived, and the server will not bring it any more. */
  readonly gaps: readonly Hole[];
}

export interface ArchiveTracker {
  /** Looks again: some HEAD requests, and a listing where those cannot tell. */
  look(server: ServerPosition, options: CallOptions): Promise<ArchiveState>;
  /** Something came that the server has not brought: the next look lists. */
  again(): void;
}

export interface TrackerOptions {
  /** Milliseconds between two listings where nothing calls for one. */
  readonly surveyEvery: number;
  /** Milliseconds between two listings that something missing calls for. */
  readonly surveyPause: number;
  /** Milliseconds after which a hole is believed although the server does not know what it has archived. */
  readonly holeAge: number;
  readonly now: () => Date;
}

export const usualTracking: TrackerOptions = {
  surveyEvery: 3_600_000,
  surveyPause: 60_000,
  holeAge: 300_000,
  now: () => new Date(),
};

/** Requests that are under way at once, and how many there may be in one look. */
const probesAtOnce = 16;
const probesPerLook = 2048;

/**
 * Follows one archive in memory, from one listing on: as a rule the next segment either is there or is not. A segment that
 * the server takes for archived and that is not there calls for a listing, which finds where the archive goes on.
 */
export function trackArchive(archive: WalArchive, options: TrackerOptions = usualTracking): ArchiveTracker {
  let state: ArchiveState | undefined;
  let listed = Number.NEGATIVE_INFINITY;
  const sinceListing = () => options.now().getTime() - listed;
  const isStale = ({ timeline, segmentSize }: ServerPosition): boolean =>
    state === undefined ||
    state.end === undefined ||
    state.history.timeline !== timeline ||
    state.history.segmentSize !== segmentSize ||
    (timeline > 1 && state.history.ancestors.length === 0 && sinceListing() >= options.surveyPause) ||
    sinceListing() >= options.surveyEvery;
  return {
    again() {
      listed = Number.NEGATIVE_INFINITY;
    },
    async look(server, call) {
      if (isStale(server)) {
        listed = options.now().getTime();
        state = await survey(archive, server, state?.gaps ?? [], options, call);
      }
      state = await walk(archive, state ?? nothing(server), server, options, call);
      if (!isMissing(state, server) || sinceListing() < options.surveyPause) return state;
      listed = options.now().getTime();
      const found = await survey(archive, server, state.gaps, options, call);
      state = await walk(archive, found, server, options, call);
      return state;
    },
  };
}

function nothing({ timeline, segmentSize }: ServerPosition): ArchiveState {
  const history = { timeline, ancestors: [], segmentSize };
  return { history, end: undefined, from: undefined, storedTime: undefined, gaps: [] };
}

/** The segment after the end is one that the server takes for archived. */
function isMissing({ end, history }: ArchiveState, { acknowledged }: ServerPosition): boolean {
  return (
    end !== undefined &&
    acknowledged !== undefined &&
    acknowledged.timeline === history.timeline &&
    acknowledged.end > end
  );
}

async function survey(
  archive: WalArchive,
  server: ServerPosition,
  known: readonly Hole[],
  options: TrackerOptions,
  call: CallOptions,
): Promise<ArchiveState> {
  const { timeline, segmentSize } = server;
  const ancestors = (await ancestorsOf(archive, timeline, call)) ?? [];
  const times = new Map<string, Date>();
  const files: [number, TimelineFiles][] = [];
  const forks = new Set(ancestors.flatMap(({ end }) => aroundOf(end, segmentSize)));
  for (const each of [timeline, ...ancestors.map((ancestor) => ancestor.timeline)]) {
    const listed = rememberTimes(archive.list(each, call), { times, forks, segmentSize });
    files.push([each, await readTimelineFiles(listed, segmentSize)]);
  }
  const history = { timeline, ancestors, segmentSize };
  const found = contiguity({ ...history, files: new Map(files) });
  if (found === undefined) return { ...nothing(server), history };
  const now = options.now();
  const storedAfter = ({ to }: Hole) => times.get(segmentNameOn(history, to));
  const pending = found.holes.findIndex(
    (hole) => !isKnown(hole, known) && !willStay(hole, server, storedAfter(hole), now, options),
  );
  const gaps = pending === -1 ? found.holes : found.holes.slice(0, pending);
  const end = pending === -1 ? found.newestEnd : found.holes[pending]?.from;
  const storedTime = end === undefined || end === 0n ? undefined : times.get(segmentNameOn(history, end - 1n));
  return { history, end, from: gaps.at(-1)?.to, storedTime, gaps };
}

/** Passes a listing on, and keeps the times of those that a hole or a fork may be asked about: there may be a million others. */
async function* rememberTimes(
  listed: AsyncIterable<ArchivedFile>,
  {
    times,
    forks,
    segmentSize,
  }: { readonly times: Map<string, Date>; readonly forks: ReadonlySet<bigint>; readonly segmentSize: number },
): AsyncGenerator<ArchivedFile, void, void> {
  let last: { readonly file: ArchivedFile; readonly number: bigint } | undefined;
  for await (const file of listed) {
    yield file;
    const parsed = parseWalFileName(file.name);
    if (parsed?.kind !== 'Segment') {
      times.set(file.name, file.time);
      continue;
    }
    const number = startOfSegment(parsed.number, segmentSize) / BigInt(segmentSize);
    const follows = last !== undefined && last.number + 1n === number;
    if (!follows && last !== undefined) times.set(last.file.name, last.file.time);
    if (!follows || forks.has(number)) times.set(file.name, file.time);
    last = { file, number };
  }
  if (last !== undefined) times.set(last.file.name, last.file.time);
}

/** The segment in which a timeline was left, and its neighbours. */
function aroundOf(end: Lsn, segmentSize: number): readonly bigint[] {
  const number = end / BigInt(segmentSize);
  return [number - 1n, number, number + 1n];
}

/** What was found to stay does so on a new timeline too, whose archiver says nothing of the one before. */
function isKnown({ from, to }: Hole, known: readonly Hole[]): boolean {
  return known.some((gap) => gap.from <= from && to <= gap.to);
}

/** Segments are stored several at once, so that a hole may be one that is being filled. */
function willStay(
  { timeline, to }: Hole,
  { acknowledged }: ServerPosition,
  storedAfter: Date | undefined,
  now: Date,
  { holeAge }: TrackerOptions,
): boolean {
  if (acknowledged !== undefined && acknowledged.timeline === timeline) return acknowledged.end >= to;
  return storedAfter !== undefined && now.getTime() - storedAfter.getTime() >= holeAge;
}

/** One small object, not the whole map: there may be hundreds of timelines. */
async function ancestorsOf(
  archive: WalArchive,
  timeline: number,
  call: CallOptions,
): Promise<readonly Ancestor[] | undefined> {
  if (timeline === 1 || !(await archive.has(historyName(timeline), call))) return undefined;
  return (await archive.histories(call)).get(timeline);
}

/** Forward while the next segment is there. What the server still writes is not asked for. */
async function walk(
  archive: WalArchive,
  state: ArchiveState,
  server: ServerPosition,
  { now }: TrackerOptions,
  call: CallOptions,
): Promise<ArchiveState> {
  const { history } = state;
  const size = BigInt(history.segmentSize);
  let end = state.end;
  if (end === undefined) return state;
  for (let probed = 0; probed < probesPerLook; probed += probesAtOnce) {
    const first: Lsn = end / size;
    const complete = Number(server.current / size - first);
    const numbers = Array.from({ length: Math.min(probesAtOnce, complete) }, (_, index) => first + BigInt(index));
    // Most looks find one segment or none: more are asked for only when the first is there.
    const wanted = probed === 0 ? numbers.slice(0, 1) : numbers;
    const present = await Promise.all(wanted.map((number) => archive.has(segmentNameOn(history, number * size), call)));
    const firstMissing = present.indexOf(false);
    const found = firstMissing === -1 ? present.length : firstMissing;
    if (found > 0) end = (first + BigInt(found)) * size;
    if (found === 0 || firstMissing !== -1) break;
  }
  return end === state.end ? state : { ...state, end, storedTime: now() };
}
