/**
 * A failure that a person will read: `reason` is stable and CamelCase, the message says what failed, why, and what to do
 * now. `retryable` tells what may pass by itself from what a person must mend.
 */
export class Failure extends Error {
  readonly reason: string;
  readonly retryable: boolean;

  constructor(reason: string, message: string, options: { readonly retryable: boolean; readonly cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.reason = reason;
    this.retryable = options.retryable;
  }
}

export function transient(reason: string, message: string, cause?: unknown): Failure {
  return new Failure(reason, message, { retryable: true, cause });
}

export function terminal(reason: string, message: string, cause?: unknown): Failure {
  return new Failure(reason, message, { retryable: false, cause });
}
