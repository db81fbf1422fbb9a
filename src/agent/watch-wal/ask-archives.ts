import { setTimeout as delay } from 'node:timers/promises';
import type { WalGap } from '../../api/backup-policy.ts';
import { Failure, transient } from '../../domain/failure.ts';
import { historyName } from '../../domain/wal/file-name.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import { openReplication } from '../../postgres/replication/connection.ts';
import type { AgentLog } from '../log.ts';
import { unforeseen } from '../report-of.ts';
import type { NamedArchive } from './archives.ts';
import { type ArchiveCatchUp, createCatchUp } from './catch-up.ts';
import { heldArchive, type Observed, type Verdict } from './describe.ts';
import { findRefusals } from './explain-refusal.ts';
import { type CommitFinder, findCommits } from './find-commits.ts';
import { fromMost } from './from-most.ts';
import { findLacking, type LackFinder } from './lacking.ts';
import { acknowledgedBy, type WalPosition } from './observe-server.ts';
import { fetchHistory } from './stream/history.ts';
import { type ArchiveTracker, type TrackerOptions, trackArchive } from './track-archive.ts';

/** What the repositories hold of the server's WAL, and why they do not take what it brings. */
export type ArchiveFacts = Pick<
  Observed,
  'archives' | 'lastCommit' | 'gaps' | 'refusal' | 'trouble' | 'silent' | 'minimum'
>;

export interface Question {
  readonly server: ChosenServer;
  readonly position: WalPosition;
  readonly mode: Observed['mode'];
}

export interface ArchiveAsker {
  /**
   * Asks, or goes on waiting for what was asked before: the first listing of a large archive takes its time. Meanwhile
   * `patience` is called again and again; what it gives ends the wait, but not the question. What fails is given, not thrown.
   */
  ask(
    question: Question,
    patience: () => Promise<Failure | undefined>,
    signal: AbortSignal,
  ): Promise<ArchiveFacts | Failure>;
  /** Ends what goes on in the background. */
  close(): Promise<void>;
}

/** `pause`: milliseconds between two calls of `patience`. */
export function createArchiveAsker(
  opened: readonly NamedArchive[],
  tracking: TrackerOptions,
  pause: number,
  log: Pick<AgentLog, 'info' | 'warn'> = { info: () => undefined, warn: () => undefined },
): ArchiveAsker {
  const watched = opened.map((each) => ({
    ...each,
    tracker: trackArchive(each.archive, tracking),
    commits: findCommits(each.archive),
  }));
  const catchUp = createCatchUp({
    log,
    onCopied: (name) => watched.find((each) => each.name === name)?.tracker.again(),
  });
  const known: Known = { watched, lacks: findLacking(), catchUp };
  const refusals = findRefusals();
  let historyStored = 1;
  let asked: Promise<ArchiveFacts | Failure> | undefined;

  /** A server that was promoted before it was archived brings no history of its own accord. */
  const provideHistory = async ({ server, position: { timeline } }: Question, signal: AbortSignal) => {
    if (timeline === historyStored) return undefined;
    try {
      await storeHistory(server, timeline, opened, signal);
      historyStored = timeline;
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Failure)) throw error;
      return historyTrouble(timeline, error);
    }
  };
  const answer = async (question: Question, signal: AbortSignal): Promise<ArchiveFacts> => {
    const { mode, position } = question;
    const archives = mode.kind === 'Archive' && mode.setting.state === 'Set';
    const trouble = archives ? await provideHistory(question, signal) : undefined;
    const refusal = archives ? await refusals.look(mode.archiver, position, opened, { signal }) : undefined;
    return { trouble, refusal, ...(await lookAtArchives(known, question, signal)) };
  };
  return {
    async ask(question, patience, signal) {
      asked ??= answer(question, signal)
        .catch((error: unknown) => (error instanceof Failure ? error : unforeseen(error)))
        .finally(() => {
          asked = undefined;
        });
      const pending = asked;
      for (;;) {
        const found = await Promise.race([pending, delay(pause, undefined, { signal })]);
        const ended = found ?? (await patience());
        if (ended !== undefined) return ended;
      }
    },
    close: () => catchUp.close(),
  };
}

export function notAnswering(): Failure {
  return transient(
    'StoreUnreachable',
    'The repository has not answered yet, so it is not known what the archive holds. It is waited for.',
  );
}

interface Watched extends NamedArchive {
  readonly tracker: ArchiveTracker;
  readonly commits: CommitFinder;
}

interface Known {
  readonly watched: readonly Watched[];
  readonly lacks: LackFinder;
  readonly catchUp: ArchiveCatchUp;
}

async function lookAtArchives(
  { watched, lacks, catchUp }: Known,
  { position, mode }: Question,
  signal: AbortSignal,
): Promise<Pick<ArchiveFacts, 'archives' | 'gaps' | 'lastCommit' | 'silent' | 'minimum'>> {
  const acknowledged = acknowledgedIn(mode, position);
  const look = ({ tracker }: Watched, call: AbortSignal) =>
    tracker.look({ ...position, acknowledged }, { signal: call });
  const { answers, silent } = await fromMost(watched, look, signal);
  const looked = watched.flatMap((each) => {
    const state = answers.find(({ name }) => name === each.name)?.answer;
    return state === undefined ? [] : [{ ...each, state }];
  });
  const { lacking, isGap } = await lacks.look(looked, { signal });
  catchUp.begin(lacking, looked);
  const gaps = new Map<string, WalGap>();
  for (const { name, commits, state } of looked) {
    const missing = { ...state, gaps: state.gaps.filter((hole) => isGap(name, hole)) };
    for (const gap of await commits.describeGaps(missing, { signal })) gaps.set(`${gap.fromWal}-${gap.toWal}`, gap);
  }
  const minimum = watched[0]?.minimum;
  const held = heldArchive(
    looked.map(({ state }) => state),
    minimum,
  );
  const slowest = looked.find(({ state }) => state === held);
  const lastCommit = slowest === undefined ? undefined : await slowest.commits.lastCommit(slowest.state, { signal });
  const archives = looked.map(({ name, commits, state }) => {
    const lack = lacking.find((each) => each.name === name);
    const trouble = lack === undefined ? undefined : catchUp.trouble(name)?.message;
    return { name, commits, state, ...(lack === undefined ? {} : { lacking: { segments: lack.count, trouble } }) };
  });
  return { archives, gaps: [...gaps.values()], lastCommit, silent, minimum };
}

function acknowledgedIn(mode: Observed['mode'], { timeline, segmentSize }: WalPosition) {
  if (mode.kind === 'Archive') return acknowledgedBy(mode.archiver, segmentSize);
  const end = mode.slot?.restart;
  return end === undefined ? undefined : { timeline, end };
}

async function storeHistory(
  server: ChosenServer,
  timeline: number,
  archives: readonly NamedArchive[],
  signal: AbortSignal,
): Promise<void> {
  const ask = ({ archive }: NamedArchive, call: AbortSignal) => archive.has(historyName(timeline), { signal: call });
  const present = await fromMost(archives, ask, signal);
  if (present.answers.every(({ answer }) => answer)) return;
  const replication = await openReplication(server.access, signal);
  try {
    await fetchHistory(replication, timeline, archives, signal);
  } finally {
    await replication.close();
  }
}

function historyTrouble(timeline: number, { message }: Failure): Verdict {
  return {
    reason: 'HistoryMissing',
    message: `The server is on timeline ${timeline}, and the archive does not know how it came there: ${historyName(timeline)} is missing, without which no recovery goes along it. It could not be fetched: ${message}`,
  };
}
