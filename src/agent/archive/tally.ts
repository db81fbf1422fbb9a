import type { Failure } from '../../domain/failure.ts';
import type { AgentLog } from '../log.ts';

/** What the log says: never a line for each segment. */
export interface Tally {
  stored(bytes: number): void;
  failed(name: string, failure: Failure): void;
  /** Says what was stored since the last time, once a minute. */
  summarize(waiting: number): void;
  total(): { readonly files: number; readonly bytes: number };
}

const minute = 60_000;

export function createTally(log: AgentLog): Tally {
  const total = { files: 0, bytes: 0 };
  let said = { at: performance.now(), files: 0, bytes: 0 };
  const lastSaid = new Map<string, { at: number; unsaid: number }>();
  return {
    stored(bytes) {
      total.files += 1;
      total.bytes += bytes;
    },
    failed(name, { reason, message, retryable }) {
      const before = lastSaid.get(reason);
      if (before !== undefined && performance.now() - before.at < minute) {
        before.unsaid += 1;
        return;
      }
      lastSaid.set(reason, { at: performance.now(), unsaid: 0 });
      const like = before === undefined || before.unsaid === 0 ? {} : { alike: before.unsaid };
      log[retryable ? 'warn' : 'error']({ name, reason, ...like }, message);
    },
    summarize(waiting) {
      const now = performance.now();
      if (now - said.at < minute) return;
      const files = total.files - said.files;
      const bytes = total.bytes - said.bytes;
      const perSecond = Math.round((files / (now - said.at)) * 10_000) / 10;
      if (files > 0) log.info({ files, bytes, perSecond, waiting }, 'archived');
      said = { at: now, ...total };
    },
    total: () => ({ ...total }),
  };
}
