import { setTimeout as delay } from 'node:timers/promises';
import type { WalStatus } from '../../api/backup-policy.ts';
import { Failure, transient } from '../../domain/failure.ts';
import type { WatchWalTask } from '../../domain/task.ts';
import type { AccessRoots } from '../../postgres/access.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import { unforeseen } from '../report-of.ts';
import { reportOf } from './describe.ts';
import type { TrackerOptions } from './track-archive.ts';
import { createWatch } from './watch.ts';

export interface WatchContext extends ActionContext<WatchWalTask> {
  /** Where the pod has what; tests have it elsewhere. */
  readonly folders?: { readonly access?: AccessRoots; readonly mountRoot?: string };
  readonly pace?: Pace;
  /** What an earlier watcher of the policy has said. */
  readonly remembered?: () => Promise<WalStatus | undefined>;
}

/** Milliseconds. */
export interface Pace {
  /** Between two looks. */
  readonly look: number;
  /** Until the same is reported again, so that it is known to be so still. */
  readonly report: number;
  readonly tracking?: TrackerOptions;
  /** Between attempts to connect, from the first to the longest. */
  readonly reconnect?: { readonly first: number; readonly longest: number };
  /** For a server that has stopped sending WAL without a word. */
  readonly quiet?: { readonly ask: number; readonly dead: number };
}

const usualPace: Pace = { look: 10_000, report: 60_000 };
/** Well below the time after which the operator takes a report for stale. */
const patience = 200_000;

/**
 * Watches over the archive of one server until the signal aborts, and in mode Stream receives its WAL. What fails is said
 * in the policy's status and tried again at the next look.
 */
export async function runWatchWal(context: WatchContext): Promise<ActionOutcome> {
  const { signal, log, pace = usualPace } = context;
  const publish = createPublisher(context, pace);
  let last = await recall(context);
  const watch = createWatch(context, pace, last);
  try {
    while (!signal.aborted) {
      const within = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
      try {
        last = await watch.look(within);
      } catch (error) {
        if (signal.aborted) break;
        const failure = within.aborted ? tooSlow() : asFailure(error);
        log.warn({ err: error, reason: failure.reason }, failure.message);
        last = { ...last, report: reportOf(failure, new Date()) };
      }
      await publish(last);
      await delay(pace.look, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await watch.close();
  }
  return { reason: 'WatchEnded', message: 'The archive is no longer watched.' };
}

/**
 * What stays true without a look: whose archive it is, above all, so that a server that was made anew is not taken for the
 * one that is protected only because this process is new.
 */
async function recall({ task, remembered, log, signal }: WatchContext): Promise<WalStatus> {
  if (task.mode === 'None') return {};
  try {
    const {
      setting: _setting,
      slot: _slot,
      heartbeat: _heartbeat,
      report: _report,
      ...facts
    } = (await remembered?.()) ?? {};
    return facts;
  } catch (error) {
    signal.throwIfAborted();
    // WAL is kept by the system identifier, so nothing is mixed for want of it, and archiving must not wait for an API.
    log.warn({ err: error }, 'the policy could not be read; the server that is there is taken for the protected one');
    return {};
  }
}

/** Reports what is new at once, and what is not from time to time. */
function createPublisher({ reporter }: WatchContext, { report }: Pace): (wal: WalStatus) => Promise<void> {
  let told = '';
  let at = Number.NEGATIVE_INFINITY;
  return async (wal) => {
    const essence = essenceOf(wal);
    if (essence === told && performance.now() - at < report) return;
    told = essence;
    at = performance.now();
    await reporter.facts({ wal });
  };
}

/** Without what moves all the time. */
function essenceOf({ lagBytes: _bytes, lagSeconds: _seconds, slot, setting, heartbeat, report, ...rest }: WalStatus) {
  const untimed = {
    setting: { ...setting, time: undefined },
    report: { ...report, time: undefined },
    heartbeat: heartbeat?.reason,
  };
  return JSON.stringify({ ...rest, ...untimed, slot: slot?.walStatus });
}

function asFailure(error: unknown): Failure {
  return error instanceof Failure ? error : unforeseen(error);
}

function tooSlow(): Failure {
  return transient(
    'WatchTimedOut',
    `A look at the server and its archive took longer than ${patience / 1000} s. Look at the server, the repository and the network between; it is tried again.`,
  );
}
