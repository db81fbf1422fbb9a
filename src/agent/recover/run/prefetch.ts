import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lsn } from '../../../domain/wal/lsn.ts';
import { positionOf, segmentsAfter, type WalRange } from './wal-range.ts';

/** A file of WAL, or where it lies under another name until it is complete and wanted. */
export type Fetched = Buffer | { readonly file: string };

export interface PrefetchOptions {
  readonly folder: string;
  readonly range: WalRange;
  readonly until: Lsn;
  readonly signal: AbortSignal;
  /** Checked; undefined for what is not there. */
  readonly fetch: (name: string) => Promise<Fetched | undefined>;
  readonly keep: (name: string, fetched: Fetched) => Promise<void>;
}

export interface Prefetch {
  /** The server reads this file now: those after it are fetched, those before it thrown away. */
  moveTo(name: string): void;
  /**
   * Whether the file was fetched ahead, so that nothing more need be done. `isThere` tells whether it lies there still:
   * a file that is gone was taken by this request or by one before it, which asks again then.
   */
  taken(name: string, isThere: () => Promise<boolean>): Promise<boolean>;
  idle(): Promise<void>;
}

/** Bytes of segments that wait for the server. */
const ahead = 256 * 1024 ** 2;
const atOnce = 4;

export interface Window {
  /** Segments that may wait. */
  readonly segments: number;
  /** Fetched at once. */
  readonly parallel: number;
}

export function windowFor(segmentSize: number): Window {
  const segments = Math.max(1, Math.floor(ahead / segmentSize));
  return { segments: Math.min(segments, 64), parallel: Math.min(segments, atOnce) };
}

/** Fetches segments before they are asked for. A failure here is none: who asks for the file tries again. */
export function createPrefetch(options: PrefetchOptions): Prefetch {
  const { folder, range, until, signal } = options;
  const window = windowFor(range.segmentSize);
  const files = new Map<string, Promise<boolean>>();
  const waiting: { name: string; begin: () => void }[] = [];
  let running = 0;
  const next = () => {
    while (running < window.parallel) {
      const first = waiting.shift();
      if (first === undefined) return;
      first.begin();
    }
  };
  const load = async (name: string): Promise<boolean> => {
    try {
      const fetched = await options.fetch(name);
      if (fetched === undefined) return false;
      if (files.has(name)) {
        await options.keep(name, fetched);
        return true;
      }
      if (!Buffer.isBuffer(fetched)) await rm(fetched.file, { force: true });
      return false;
    } catch {
      return false;
    }
  };
  const enqueue = (name: string) => {
    const loaded = new Promise<boolean>((resolve) => {
      waiting.push({
        name,
        begin: () => {
          running += 1;
          void (signal.aborted ? Promise.resolve(false) : load(name)).then((result) => {
            if (!result) files.delete(name);
            resolve(result);
            running -= 1;
            next();
          });
        },
      });
    });
    files.set(name, loaded);
  };
  const forget = (name: string) => {
    files.delete(name);
    void rm(join(folder, 'have', name), { force: true }).catch(() => undefined);
  };
  return {
    moveTo(name) {
      const position = positionOf(name, range.segmentSize);
      if (position === undefined) return;
      const wanted = segmentsAfter(name, window.segments, range, until);
      const kept = new Set([name, ...wanted]);
      // Two behind stay: recovery reads the last segment again before it ends.
      const oldest = position - 2n * BigInt(range.segmentSize);
      for (const held of files.keys()) {
        if (!kept.has(held) && (positionOf(held, range.segmentSize) ?? 0n) < oldest) forget(held);
      }
      for (const one of wanted) if (!files.has(one)) enqueue(one);
      next();
    },
    async taken(name, isThere) {
      const held = files.get(name);
      if (held === undefined) return false;
      // Whoever is asked for stands before the others.
      const index = waiting.findIndex((one) => one.name === name);
      if (index > 0) waiting.unshift(...waiting.splice(index, 1));
      next();
      if (!(await held)) return false;
      if (!(await isThere())) files.delete(name);
      return true;
    },
    async idle() {
      for (const { begin } of waiting.splice(0)) begin();
      await Promise.allSettled([...files.values()]);
    },
  };
}
