import { setTimeout as delay } from 'node:timers/promises';
import type { Progress } from '../api/report.ts';
import { Failure, transient } from '../domain/failure.ts';
import type { Task } from '../domain/task.ts';
import type { ServerAccess } from '../postgres/access.ts';
import { withConnection } from '../postgres/query.ts';
import type { ActionContext } from './action.ts';

/** Milliseconds. */
export interface Patience {
  /** Between two questions whether the server is there. */
  readonly every: number;
  /** For the answer to one. */
  readonly answer: number;
  /** Without an answer and without a step forward, after which the server is given up. */
  readonly silence: number;
}

export const usualPatience: Patience = { every: 60_000, answer: 20_000, silence: 600_000 };

/**
 * Does the work with one server, and asks that server beside it whether it is there. One that hangs (a process or a
 * machine that is stopped, a disk that does not answer, a network that loses every packet) closes no connection, and what
 * waits for it would wait for ever: after `silence` the work is aborted with ServerSilent. Any answer counts, a refusal
 * too, and so does all progress that the work reports.
 */
export async function whileAnswering<Context extends ActionContext<Task>, Result>(
  context: Context,
  asked: { readonly access: ServerAccess; readonly database: string },
  work: (context: Context) => Promise<Result>,
  patience: Patience = usualPatience,
): Promise<Result> {
  const silent = new AbortController();
  const over = new AbortController();
  let heard = performance.now();
  let told: Progress = {};
  const progress = (now: Progress) => {
    if (isForward(told, now)) heard = performance.now();
    told = now;
    context.reporter.progress(now);
  };
  const watch = async () => {
    for (;;) {
      await delay(patience.every, undefined, { signal: over.signal }).catch(() => undefined);
      if (over.signal.aborted) return;
      if (await answers(asked, patience, over.signal)) heard = performance.now();
      if (over.signal.aborted || performance.now() - heard < patience.silence) continue;
      silent.abort(silence(asked.access, performance.now() - heard));
      return;
    }
  };
  const watching = watch();
  const signal = AbortSignal.any([context.signal, silent.signal]);
  try {
    return await work({ ...context, signal, reporter: { ...context.reporter, progress } });
  } finally {
    over.abort();
    await watching;
  }
}

/** The rate is an average over the last seconds: it falls for a while after everything stands still. */
function isForward(before: Progress, { bytesPerSecond: rate = '0', ...now }: Progress): boolean {
  const { bytesPerSecond: rateBefore = '0', ...then } = before;
  return BigInt(rate) > BigInt(rateBefore) || JSON.stringify(now) !== JSON.stringify(then);
}

/** What is said of a server that says nothing itself. */
const unanswered: ReadonlySet<string> = new Set([
  'ConnectionTimedOut',
  'ConnectionLost',
  'ConnectionRefused',
  'HostUnreachable',
  'HostNotFound',
]);

async function answers(
  { access, database }: { readonly access: ServerAccess; readonly database: string },
  { answer }: Patience,
  over: AbortSignal,
): Promise<boolean> {
  const within = AbortSignal.any([over, AbortSignal.timeout(answer)]);
  try {
    await withConnection(access, database, within, (query) => query('SELECT 1'), { connectTimeout: answer });
    return true;
  } catch (error) {
    return error instanceof Failure && !unanswered.has(error.reason);
  }
}

function silence({ host, port }: ServerAccess, milliseconds: number): Failure {
  return transient(
    'ServerSilent',
    `The server ${host}:${port} has answered nothing for ${Math.round(milliseconds / 1000)} s, though its connections stand: it hangs (its disk, a stopped process or machine), or the network loses what is sent. What was half done is removed where that can be. Look whether psql gets an answer there; it is tried again.`,
  );
}
