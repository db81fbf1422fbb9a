import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../../domain/failure.ts';
import type { CallOptions } from '../../repository/store.ts';
import type { AgentLog } from '../log.ts';

interface Place {
  /** The repository's. */
  readonly name: string;
}

/** Stores WAL in as many repositories as the policy says, and in the others as far as they keep up. */
export interface Quorum {
  /**
   * Resolves when at least the minimum have it; the others are given a moment. Those in `stored` have it already, and those
   * that get it are added. What is the server's fault (OldPrimary, WalConflict) rejects however many have it.
   */
  store<Of extends Place>(
    places: readonly Of[],
    stored: Set<string>,
    put: (place: Of, options: CallOptions) => Promise<void>,
    options: CallOptions,
  ): Promise<void>;
}

export interface QuorumOptions {
  /** Of the policy; absent: all. */
  readonly minimum?: number | undefined;
  readonly log?: Pick<AgentLog, 'warn' | 'info'> | undefined;
  readonly timings?: QuorumTimings;
}

/** Milliseconds. */
export interface QuorumTimings {
  /** For those that are not needed, once enough have a file. */
  readonly grace: number;
  /** For which one that failed or lagged is left alone while enough others are there: at first, and at most. */
  readonly pause: number;
  readonly longestPause: number;
}

const usualTimings: QuorumTimings = { grace: 5000, pause: 2000, longestPause: 60_000 };

export function createQuorum({ minimum, log, timings = usualTimings }: QuorumOptions): Quorum {
  const away = new Map<string, { readonly until: number; readonly pause: number }>();
  const leaveAlone = (name: string, error: unknown) => {
    const before = away.get(name);
    const pause = Math.min(timings.longestPause, before === undefined ? timings.pause : before.pause * 2);
    away.set(name, { until: performance.now() + pause, pause });
    if (before === undefined)
      log?.warn({ repository: name, err: error }, 'WAL goes on without this repository for now');
  };
  const comesBack = (name: string) => {
    if (away.delete(name)) log?.info({ repository: name }, 'this repository takes WAL again');
  };
  return {
    async store(places, stored, put, { signal }) {
      const needed = Math.min(minimum ?? places.length, places.length);
      const wanting = places.filter(({ name }) => !stored.has(name));
      const now = performance.now();
      const present = wanting.filter(({ name }) => (away.get(name)?.until ?? 0) <= now);
      const tried = places.length - wanting.length + present.length >= needed ? present : wanting;
      const has = () => places.filter(({ name }) => stored.has(name)).length;
      const late = new AbortController();
      const either = AbortSignal.any([signal, late.signal]);
      const enough = Promise.withResolvers<void>();
      const failures: { readonly name: string; readonly error: unknown }[] = [];
      const attempts = tried.map(async (place) => {
        try {
          await put(place, { signal: either });
          stored.add(place.name);
          comesBack(place.name);
          if (has() >= needed) enough.resolve();
        } catch (error) {
          failures.push({ name: place.name, error });
        }
      });
      const all = Promise.all(attempts);
      await Promise.race([all, enough.promise]);
      const done = new AbortController();
      const patience = delay(timings.grace, undefined, { signal: done.signal }).catch(() => undefined);
      await Promise.race([all, patience]);
      done.abort();
      late.abort();
      await all;
      signal.throwIfAborted();
      conclude(failures, has() >= needed);
      for (const { name, error } of failures) leaveAlone(name, error);
    },
  };
}

/** What no repository can be blamed for. */
const ofTheServer: ReadonlySet<string> = new Set([
  'OldPrimary',
  'WalConflict',
  'ForeignWal',
  'NoWalFile',
  'InvalidWal',
]);

/** What must be mended is told before what may pass. */
function conclude(failures: readonly { readonly error: unknown }[], isStored: boolean): void {
  const errors = failures.map(({ error }) => error);
  const ofServer = errors.find((error) => error instanceof Failure && ofTheServer.has(error.reason));
  if (ofServer !== undefined) throw ofServer;
  if (isStored || errors.length === 0) return;
  throw errors.find((error) => error instanceof Failure && !error.retryable) ?? errors[0];
}
