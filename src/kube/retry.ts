import { ApiError } from './api-error.ts';
import type { Clock } from './clock.ts';

const firstDelay = 200;
const longestDelay = 5_000;
/** A server that cannot be reached at all is left to whoever asked; one that says "later" is asked while there is time. */
const tries = 5;

interface Limits {
  readonly clock: Clock;
  /** By the clock's monotonic(). */
  readonly endsAt: number;
  readonly signal: AbortSignal;
  /** It means the same however often it is said. */
  readonly repeatable: boolean;
}

/**
 * Asks again while the server is overloaded (429, 503) or the connection broke, until `endsAt` or the signal. What is not
 * repeatable, only after a 429: then the server has not even looked at it.
 */
export async function askAgain<Answer>(
  ask: () => Promise<Answer>,
  { clock, endsAt, signal, repeatable }: Limits,
): Promise<Answer> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      const wait = repeatable || isThrottled(error) ? delay(error, attempt) : undefined;
      if (wait === undefined || signal.aborted || clock.monotonic() + wait >= endsAt) throw error;
      await clock.sleep(wait, signal);
    }
  }
}

/** Milliseconds until the next try; undefined where another would not help. */
function delay(error: unknown, attempt: number): number | undefined {
  const backoff = Math.min(longestDelay, firstDelay * 2 ** attempt) * (0.5 + Math.random() / 2);
  if (error instanceof ApiError) {
    const overloaded = error.status === 429 || error.status === 503;
    return overloaded ? Math.max(backoff, (error.retryAfterSeconds ?? 0) * 1000) : undefined;
  }
  return isBrokenConnection(error) && attempt < tries ? backoff : undefined;
}

function isThrottled(error: unknown): boolean {
  return error instanceof ApiError && error.status === 429;
}

const broken: ReadonlySet<unknown> = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function isBrokenConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return broken.has((error as NodeJS.ErrnoException).code) || isBrokenConnection(error.cause);
}
