import { setTimeout as delay } from 'node:timers/promises';
import type { WalGap } from '../../api/backup-policy.ts';
import { Failure, transient } from '../../domain/failure.ts';
import { historyName } from '../../domain/wal/file-name.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import { openReplication } from '../../postgres/replication/connection.ts';
import { unforeseen } from '../report-of.ts';
import type { NamedArchive } from './archives.ts';
import { leastArchived, type Observed, type Verdict } from './describe.ts';
import { findRefusals } from './explain-refusal.ts';
import { type CommitFinder, findCommits } from './find-commits.ts';
import { acknowledgedBy, type WalPosition } from './observe-server.ts';
import { fetchHistory } from './stream/history.ts';
import { type ArchiveTracker, type TrackerOptions, trackArchive } from './track-archive.ts';

/** What the repositories hold of the server's WAL, and why they do not take what it brings. */
export type ArchiveFacts = Pick<Observed, 'archives' | 'lastCommit' | 'gaps' | 'refusal' | 'trouble'>;

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
}

/** `pause`: milliseconds between two calls of `patience`. */
export function createArchiveAsker(
  opened: readonly NamedArchive[],
  tracking: TrackerOptions,
  pause: number,
): ArchiveAsker {
  const watched = opened.map((each) => ({
    ...each,
    tracker: trackArchive(each.archive, tracking),
    commits: findCommits(each.archive),
  }));
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
    return { trouble, refusal, ...(await lookAtArchives(watched, question, signal)) };
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

async function lookAtArchives(watched: readonly Watched[], { position, mode }: Question, signal: AbortSignal) {
  const acknowledged = acknowledgedIn(mode, position);
  const archives = await Promise.all(
    watched.map(async ({ name, tracker, commits }) => ({
      name,
      commits,
      state: await tracker.look({ ...position, acknowledged }, { signal }),
    })),
  );
  const gaps = new Map<string, WalGap>();
  for (const { commits, state } of archives) {
    for (const gap of await commits.describeGaps(state, { signal })) gaps.set(`${gap.fromWal}-${gap.toWal}`, gap);
  }
  const least = leastArchived(archives.map(({ state }) => state));
  const slowest = archives.find(({ state }) => state === least);
  const lastCommit = slowest === undefined ? undefined : await slowest.commits.lastCommit(slowest.state, { signal });
  return { archives, gaps: [...gaps.values()], lastCommit };
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
  const present = await Promise.all(archives.map(({ archive }) => archive.has(historyName(timeline), { signal })));
  if (present.every((each) => each)) return;
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
