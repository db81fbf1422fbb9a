/** The API server said no. `reason` is the Status object's (NotFound, Conflict, Invalid, …), stable across versions. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;
  readonly details: StatusDetails | undefined;

  constructor(status: number, reason: string, message: string, retryAfterSeconds?: number, details?: StatusDetails) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
    this.details = details;
  }
}

/** What a Status object says of the object that was refused; `causes` names the fields that are wrong. */
export interface StatusDetails {
  readonly kind?: string;
  readonly name?: string;
  readonly retryAfterSeconds?: number;
  readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
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

/** The object is not the one that was looked at any more: its resourceVersion or its UID is another. Look again. */
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

/** Nothing can be made any more in a namespace that goes away, and nothing needs to be. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    isForbidden(error) &&
    error instanceof ApiError &&
    (causesOf(error).some((cause) => cause?.reason === 'NamespaceTerminating') ||
      error.message.includes('because it is being terminated'))
  );
}

/** What answers in the API server's place may say anything. */
function causesOf({ details }: ApiError): readonly ({ readonly reason?: string } | null)[] {
  return Array.isArray(details?.causes) ? details.causes : [];
}

interface Refusal {
  readonly status: number;
  readonly body: string;
  /** The Retry-After header: the API server gives seconds. */
  readonly retryAfter?: string | undefined;
  /** What was asked: a method and a path. */
  readonly what: string;
}

/** The error of an answer: in the words of the Status object, or of whatever answered in the API server's place. */
export function errorOf({ status, body, retryAfter, what }: Refusal): ApiError {
  const { message, reason, details } = parseStatus(body);
  const words = oneLine(message ?? body.slice(0, 300)) || `HTTP ${status}`;
  const seconds = Number(retryAfter ?? details?.retryAfterSeconds ?? Number.NaN);
  const wait = Number.isFinite(seconds) ? seconds : undefined;
  return new ApiError(status, reason ?? 'Unknown', `${what}: ${words}`, wait, details);
}

/** As errorOf, of a Status object that came as a watch's ERROR event. */
export function errorOfStatus(status: object, what: string): ApiError {
  const { code } = status as { readonly code?: unknown };
  return errorOf({ status: typeof code === 'number' ? code : 500, body: JSON.stringify(status), what });
}

interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
}

function parseStatus(body: string): Status {
  try {
    const { message, reason, details } = JSON.parse(body);
    return {
      ...(typeof message === 'string' ? { message } : {}),
      ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
      ...(typeof details === 'object' && details !== null ? { details } : {}),
    };
  } catch {
    return {};
  }
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*[\r\n]+\s*/g, ' ');
}
