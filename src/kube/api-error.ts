/** The API server said no. `reason` is the Status object's (NotFound, Conflict, Invalid, …), stable across versions. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterSeconds?: number) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The API server did not answer: refused, reset, timed out. It may have done what it was asked. */
export class ApiUnreachable extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'ApiUnreachable';
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** A stale resourceVersion, or a JSON patch whose `test` failed (422 with reason Invalid and no other word for it). */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409 && error.reason !== 'AlreadyExists';
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409 && error.reason === 'AlreadyExists';
}

/** The resourceVersion is too old to go on from: list again. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 410;
}

export function isInvalid(error: unknown): boolean {
  return error instanceof ApiError && error.status === 422;
}

export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

/** Builds the error of an answer: a Status object where the API server wrote it, else whatever stood before it. */
export function errorOf(status: number, body: string, retryAfter: string | undefined, what: string): ApiError {
  const parsed = parseStatus(body);
  const seconds = retryAfter === undefined ? undefined : Number(retryAfter);
  const message = `${what}: ${parsed?.message ?? (body.slice(0, 300) || `HTTP ${status}`)}`;
  return new ApiError(status, parsed?.reason ?? 'Unknown', message, Number.isFinite(seconds) ? seconds : undefined);
}

function parseStatus(body: string): { readonly message?: string; readonly reason?: string } | undefined {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
