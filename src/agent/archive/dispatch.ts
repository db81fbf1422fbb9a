import { setTimeout as delay } from 'node:timers/promises';
import { Failure, transient } from '../../domain/failure.ts';
import { inArchiveOrder } from '../../domain/wal/archive-order.ts';
import { parseWalFileName } from '../../domain/wal/file-name.ts';
import { largestInMemory } from '../../repository/large-wal.ts';
import type { AgentLog } from '../log.ts';
import { type ArchiveWork, archiveFile } from './archive-file.ts';
import { createTally, type Tally } from './tally.ts';

export interface DispatchOptions extends ArchiveWork {
  readonly maxParallel: number;
  readonly log: AgentLog;
  /** Aborted: nothing new is begun, and what runs gets a little time. */
  readonly signal: AbortSignal;
  readonly timings?: DispatchTimings;
}

/** Milliseconds. */
export interface DispatchTimings {
  /** Between two looks, where the kernel tells nothing. */
  readonly look: number;
  /** A file that is not stored after this is told to the server's log, before its script gives up. */
  readonly tell: number;
  readonly grace: number;
  /** Between two attempts while the store fails. */
  readonly longestPause: number;
}

export const defaultTimings: DispatchTimings = { look: 250, tell: 45_000, grace: 20_000, longestPause: 10_000 };

/** A file and its packed form, for all that are under way at once. */
const memory = 192 * 1024 ** 2;
/** What the spool may hold of files that nobody has asked for yet. */
const spoolAhead = 1024 ** 3;
const mostAhead = 64;
const sweepEvery = 600_000;

interface Running {
  readonly size: number;
  readonly ended: Promise<void>;
}

interface Known {
  /** The repositories that have it. */
  readonly stored: Set<string>;
  readonly failingSince?: number;
  readonly lastError?: Failure;
}

interface State {
  readonly options: DispatchOptions & { readonly timings: DispatchTimings };
  readonly running: Map<string, Running>;
  /** What is known of files that are tried more than once. */
  readonly files: Map<string, Known>;
  readonly tally: Tally;
  readonly work: AbortSignal;
  readonly wake: () => void;
  failures: number;
  pausedUntil: number;
  ahead: number;
}

/** Takes what is in the spool to the repositories until the signal aborts. */
export async function dispatch(given: DispatchOptions): Promise<Tally> {
  const { spool, signal, log } = given;
  const options = { ...given, timings: given.timings ?? defaultTimings };
  const work = new AbortController();
  const bell = createBell();
  const tally = createTally(log);
  const state: State = {
    options,
    running: new Map(),
    files: new Map(),
    tally,
    work: work.signal,
    wake: bell.ring,
    failures: 0,
    pausedUntil: 0,
    ahead: 0,
  };
  signal.addEventListener('abort', bell.ring, { once: true });
  spool.watch(bell.ring, signal);
  for (let sweptAt = Number.NEGATIVE_INFINITY; !signal.aborted; ) {
    if (performance.now() - sweptAt > sweepEvery) {
      sweptAt = performance.now();
      await spool.sweep(new Date());
    }
    const waiting = await startWaiting(state);
    tally.summarize(waiting);
    await bell.heard(options.timings.look);
  }
  await finish(state, work);
  return tally;
}

async function finish({ running, options }: State, work: AbortController): Promise<void> {
  const late = new AbortController();
  const ended = Promise.allSettled([...running.values()].map((each) => each.ended));
  await Promise.race([ended, delay(options.timings.grace, undefined, { signal: late.signal }).catch(() => undefined)]);
  late.abort();
  work.abort(options.signal.reason);
  await ended;
}

/** Starts as many as fit, in the archive's order; gives how many wait. */
async function startWaiting(state: State): Promise<number> {
  const { options, running, files } = state;
  const names = inArchiveOrder(await options.spool.waiting());
  const present = new Set(names);
  for (const name of files.keys()) if (!present.has(name) && !running.has(name)) files.delete(name);
  if (performance.now() < state.pausedUntil) return names.length;
  const histories = new Set(
    names.flatMap((name) => {
      const file = parseWalFileName(name);
      return file?.kind === 'History' ? [file.timeline] : [];
    }),
  );
  for (const name of names) {
    if (running.has(name) || isHeldBack(name, histories)) continue;
    const size = await options.spool.sizeOf(name);
    if (size === undefined) continue;
    if (options.signal.aborted || !fits(state, size)) break;
    running.set(name, { size, ended: archiveOne(state, name, size) });
  }
  return names.length;
}

/** A timeline's segments wait for its history. */
function isHeldBack(name: string, histories: ReadonlySet<number>): boolean {
  const file = parseWalFileName(name);
  return file !== undefined && file.kind !== 'History' && histories.has(file.timeline);
}

/** While the store fails, one file at a time finds out whether it is back. */
function fits({ options, running, failures }: State, size: number): boolean {
  if (running.size === 0) return true;
  if (failures > 0 || running.size >= options.maxParallel) return false;
  const held = [...running.values()].reduce((sum, each) => sum + inMemory(each.size), 0);
  return 2 * (held + inMemory(size)) <= memory;
}

/** What is larger goes through it in pieces. */
function inMemory(size: number): number {
  return Math.min(size, largestInMemory);
}

async function archiveOne(state: State, name: string, size: number): Promise<void> {
  const { options, files, running, tally, wake } = state;
  const known = files.get(name) ?? { stored: new Set<string>() };
  files.set(name, known);
  const telling = setInterval(() => void tellSlow(state, name), options.timings.tell);
  try {
    await archiveFile(options, { name, size, stored: known.stored }, { signal: state.work });
    files.delete(name);
    state.failures = 0;
    tally.stored(size);
    await lookAhead(state, name, size);
  } catch (error) {
    if (!isGone(error)) await failed(state, name, error);
  } finally {
    clearInterval(telling);
    running.delete(name);
    wake();
  }
}

async function failed(state: State, name: string, error: unknown): Promise<void> {
  const { options, files, tally, work } = state;
  if (work.aborted) return;
  const failure = error instanceof Failure ? error : unexpected(name, error);
  tally.failed(name, failure);
  try {
    if (!failure.retryable) {
      files.delete(name);
      await options.spool.markFailed(name, failure.message, { drop: true });
      return;
    }
    const known = files.get(name);
    const since = known?.failingSince ?? performance.now();
    files.set(name, { stored: known?.stored ?? new Set(), failingSince: since, lastError: failure });
    if (performance.now() - since >= options.timings.tell) await tellSlow(state, name);
  } catch (cause) {
    options.log.error({ name, err: cause }, 'the spool cannot be written');
  }
  state.failures += 1;
  state.pausedUntil = performance.now() + Math.min(200 * 2 ** state.failures, options.timings.longestPause);
}

/** The file stays, and is tried on; the server's log says meanwhile why it is not stored. */
async function tellSlow({ options, files }: State, name: string): Promise<void> {
  const why = files.get(name)?.lastError?.message ?? 'The repository has not taken it yet.';
  await options.spool
    .markFailed(name, `${name} is not stored yet, and is tried again. ${why}`, { drop: false })
    .catch((error: unknown) => options.log.error({ name, err: error }, 'the spool cannot be written'));
}

/** Large segments must not fill the node's disk. */
async function lookAhead(state: State, name: string, size: number): Promise<void> {
  if (parseWalFileName(name)?.kind !== 'Segment') return;
  const ahead = Math.max(2, Math.min(mostAhead, Math.floor(spoolAhead / size)));
  if (ahead === state.ahead) return;
  state.ahead = ahead;
  await state.options.spool.setAhead(ahead);
}

function unexpected(name: string, error: unknown): Failure {
  const why = error instanceof Error ? error.message : String(error);
  return transient('ArchivingFailed', `${name} could not be archived: ${why}. It is tried again.`, error);
}

function isGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'ENOENT' &&
    'syscall' in error &&
    error.syscall === 'open'
  );
}

interface Bell {
  readonly ring: () => void;
  /** Resolves after a ring since the last time, or after some milliseconds. */
  readonly heard: (milliseconds: number) => Promise<void>;
}

function createBell(): Bell {
  let rung = false;
  let answer: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      answer?.();
    },
    async heard(milliseconds) {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds);
          answer = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      rung = false;
      answer = undefined;
    },
  };
}
