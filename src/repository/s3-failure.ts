import { Failure } from '../domain/failure.ts';
import { bounded, type ErrorKind, findFailure, kindOfNetwork, networkCode, pass } from './error-kind.ts';
import { denied, kindOfCode } from './s3-error-codes.ts';

/** What was being done, for the message. Nothing here is secret. */
export interface S3Call {
  /** As a verb phrase: `store`, `read`, `list`, `finish the upload of`. */
  readonly operation: string;
  readonly bucket: string;
  readonly key?: string | undefined;
  /** The endpoint's URL, or `AWS <region>`. */
  readonly endpoint: string;
  /** Where the credentials come from: `the Secret x`, or the pod's own identity. */
  readonly credentials: string;
}

/** The one place where an error of the SDK, of S3 or of the network becomes a Failure. Pure. */
export function s3Failure(error: unknown, call: S3Call): Failure {
  const failure = findFailure(error);
  if (failure !== undefined) return failure;
  const facts = readError(error);
  const kind = classify(facts, call);
  const target = `s3://${call.bucket}${call.key === undefined ? '' : `/${call.key}`}`;
  return new Failure(
    kind.reason,
    `Cannot ${call.operation} ${target} at ${call.endpoint}: ${kind.why}. ${kind.remedy}`,
    {
      retryable: kind.retryable,
      // Not the SDK's error itself: a refused signature carries the whole canonical request, session token included.
      cause: new Error(`${facts.code}${facts.status === undefined ? '' : ` (HTTP ${facts.status})`}`),
    },
  );
}

interface Facts {
  readonly code: string;
  readonly status: number | undefined;
  readonly message: string;
}

function classify(facts: Facts, call: S3Call): ErrorKind {
  const { code, status } = facts;
  const said = facts.message === '' || facts.message === 'UnknownError' ? code : `${code} (${facts.message})`;
  return (
    kindOfCode({ code, said, call }) ??
    kindOfNetwork(code, said, { ...call, field: 'spec.s3.endpoint', trust: 'Set spec.s3.caBundleSecretRef' }) ??
    byStatus(status, said, call) ??
    unreadable(facts) ?? {
      reason: 'StoreError',
      retryable: false,
      why: `the store answered ${said}`,
      remedy: 'Look the code up in the documentation of the store.',
    }
  );
}

/** An answer that was cut short on its way, though its header knows nothing of that. */
function unreadable({ message }: Facts): ErrorKind | undefined {
  if (!message.includes('XML parse error')) return undefined;
  return pass(
    'StoreError',
    'its answer cannot be read: it was cut short, or is no answer of an S3 store',
    'It is tried again; if it stays so, look what stands between the Job and the store.',
  );
}

function byStatus(status: number | undefined, said: string, call: S3Call): ErrorKind | undefined {
  if (status === undefined) return undefined;
  if (status === 401 || status === 403) return denied(said, call);
  // Only where the store gave no code of its own: stores say other things with a 404 too, such as an unknown access key.
  if (status === 404 && /^Unknown/.test(said)) return kindOfCode({ code: 'NoSuchKey', said, call });
  if (status === 409) return kindOfCode({ code: 'OperationAborted', said, call });
  if (status === 412) return kindOfCode({ code: 'PreconditionFailed', said, call });
  if (status === 416) return kindOfCode({ code: 'InvalidRange', said, call });
  if (status === 429) return kindOfCode({ code: 'SlowDown', said, call });
  if (status === 501 || status === 405) return kindOfCode({ code: 'NotImplemented', said, call });
  if (status === 507) return kindOfCode({ code: 'InsufficientStorage', said, call });
  if (status === 301 || status === 307) return kindOfCode({ code: 'PermanentRedirect', said, call });
  if (status >= 500) {
    return pass(
      'StoreError',
      `the store failed (HTTP ${status}, ${said})`,
      'It is tried again; if it stays so, look into the log of the store.',
    );
  }
  return undefined;
}

function readError(error: unknown): Facts {
  if (!(error instanceof Error)) return { code: 'UnknownError', status: undefined, message: bounded(String(error)) };
  const status = httpStatus(error);
  const code =
    networkCode(error) ?? (error.name === 'Error' || /^\d+$|^Syntax/.test(error.name) ? 'UnknownError' : error.name);
  return { code, status, message: bounded(error.message) };
}

function httpStatus(error: Error): number | undefined {
  for (const field of ['$metadata', '$response']) {
    const value: unknown = Reflect.get(error, field);
    if (typeof value !== 'object' || value === null) continue;
    const status: unknown = Reflect.get(value, field === '$metadata' ? 'httpStatusCode' : 'statusCode');
    if (typeof status === 'number') return status;
  }
  return undefined;
}
