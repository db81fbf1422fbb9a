import { isAlreadyExists, isConflict, isNotFound } from './api-error.ts';
import type { Clock } from './clock.ts';
import { type LeasePlace, ObservedLease, readLease, writeLease } from './lease-record.ts';
import type { Log } from './log.ts';

export interface ElectionOptions extends LeasePlace {
  /** Of this process; never used by another, not even after a restart. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: () => number;
  readonly signal: AbortSignal;
}

/** Who leads must have said so this lately, or stops: well before the others take the lease for expired. */
export const renewDeadline = 10_000;
export const retryPeriod = 2_000;
/** Half the deadline: one call that hangs must not cost the lease. */
const callTimeout = renewDeadline / 2;

/** The lease was lost: another leads, or this process could not say in time that it still does. */
export class LeaseLost extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LeaseLost';
  }
}

/**
 * Waits to lead, then runs `lead` while this process does. Rejects with LeaseLost when it no longer does; `lead`'s signal
 * aborts at that moment, or when the caller's does. The lease is given back after `lead` has ended, so that the next
 * leader never overlaps it. A process that stood still learns late that it leads no more: `leads` says so at once, and is
 * to be asked before each write. What is on its way by then nobody stops, so every write must be safe to be made twice.
 */
export async function runLeaderElection(
  options: ElectionOptions,
  lead: (signal: AbortSignal, leads: () => boolean) => Promise<void>,
): Promise<void> {
  const { clock, log, identity, signal } = options;
  const observed = new ObservedLease(clock);
  const heldSince = await acquire(options, observed);
  if (heldSince === undefined) return;
  log.info({ identity }, 'Started to lead');
  const lost = new AbortController();
  const stopRenewing = new AbortController();
  const term = { since: heldSince };
  const renewing = renew(options, observed, term, stopRenewing.signal).catch((error) => lost.abort(error));
  const leads = () => !lost.signal.aborted && clock.monotonic() < term.since + renewDeadline;
  try {
    await lead(AbortSignal.any([signal, lost.signal]), leads);
    lost.signal.throwIfAborted();
  } finally {
    stopRenewing.abort();
    await renewing;
    if (!lost.signal.aborted) await release(options, observed);
  }
}

/** The moment, by this process's clock, from which it surely holds the lease; undefined when it was told to stop. */
async function acquire(options: ElectionOptions, observed: ObservedLease): Promise<number | undefined> {
  const { clock, identity, log, random = Math.random, signal } = options;
  while (!signal.aborted) {
    try {
      observed.see(await within(clock, callTimeout, (limit) => readLease(options, AbortSignal.any([limit, signal]))));
      if (observed.holder === identity || observed.isFree) {
        const begun = clock.monotonic();
        await claim(options, observed, identity, callTimeout);
        return begun;
      }
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!isConflict(error) && !isAlreadyExists(error)) log.warn({ err: error }, 'The lease was not read or taken');
    }
    await clock.sleep(retryPeriod * (1 + 0.2 * random()), signal).catch(() => undefined);
  }
  return undefined;
}

/** Renews until it is told to stop; throws, on the dot, when it could not for as long as the deadline. */
async function renew(
  options: ElectionOptions,
  observed: ObservedLease,
  term: { since: number },
  stop: AbortSignal,
): Promise<void> {
  const { clock, identity, log } = options;
  const left = () => term.since + renewDeadline - clock.monotonic();
  let pause = retryPeriod;
  while (left() > 0) {
    await clock.sleep(Math.min(pause, left()), stop).catch(() => undefined);
    pause = retryPeriod;
    if (stop.aborted) return;
    if (left() <= 0) break;
    const begun = clock.monotonic();
    try {
      await claim(options, observed, identity, Math.min(callTimeout, left()));
      term.since = begun;
    } catch (error) {
      log.warn({ err: error }, 'The lease was not renewed');
      if (!isConflict(error) && !isNotFound(error)) continue;
      // Where this process is seen to hold it still, there is nothing to wait for, and perhaps not much time.
      if (await stillHolds(options, observed, left())) pause = 0;
    }
  }
  throw new LeaseLost(`the lease could not be renewed for ${renewDeadline / 1000} s`);
}

/**
 * Looks after a conflict, which may be with a write of our own whose answer never came; throws where another holds the
 * lease now, and gives false where it cannot be known.
 */
async function stillHolds(options: ElectionOptions, observed: ObservedLease, left: number): Promise<boolean> {
  const { clock, identity, log } = options;
  if (left <= 0) return false;
  try {
    observed.see(await within(clock, Math.min(callTimeout, left), (limit) => readLease(options, limit)));
  } catch (error) {
    log.warn({ err: error }, 'The lease was not read');
    return false;
  }
  if (observed.holder !== identity) throw new LeaseLost(`${observed.holder || 'nobody'} holds the lease now`);
  return true;
}

async function release(options: ElectionOptions, observed: ObservedLease): Promise<void> {
  try {
    await claim(options, observed, '', callTimeout);
  } catch (error) {
    options.log.warn({ err: error }, 'The lease was not given back; the next leader waits until it expires');
  }
}

async function claim(
  options: ElectionOptions,
  observed: ObservedLease,
  holder: string,
  milliseconds: number,
): Promise<void> {
  const { clock } = options;
  const written = await within(clock, milliseconds, (signal) =>
    writeLease(options, { seen: observed.lease, holder, now: clock.now(), signal }),
  );
  observed.see(written);
}

/** Gives an action so many milliseconds and not one more, whatever it makes of its signal. */
async function within<Answer>(
  clock: Clock,
  milliseconds: number,
  act: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const over = new AbortController();
  const tooLate = clock.sleep(milliseconds, over.signal).then(() => {
    throw new Error(`The API server did not answer within ${milliseconds / 1000} s`);
  });
  try {
    return await Promise.race([act(over.signal), tooLate]);
  } finally {
    over.abort();
  }
}
