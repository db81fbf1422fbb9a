import type { Failure } from '../domain/failure.ts';
import {
  bounded,
  type ErrorKind,
  failureOf,
  findFailure,
  kindOfNetwork,
  mend,
  networkCode,
  pass,
} from './error-kind.ts';

/** What was being done, for the message. Nothing here is secret. */
export interface GcsErrorCall {
  /** As a verb phrase with its object. */
  readonly what: string;
  readonly operation: string;
  readonly bucket: string;
  readonly endpoint: string;
  readonly credentialsFrom: string;
}

/** An answer that is an error. */
export class GcsError extends Error {
  readonly status: number;
  /** Google's own word for it, '' where it has none. */
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = 'GcsError';
    this.status = status;
    this.reason = reason;
  }

  static async of(status: number, body: { text(): Promise<string> }): Promise<GcsError> {
    const text = await body.text();
    const { reason, message } = readBody(text);
    return new GcsError(status, reason, message);
  }
}

/** The one place where an error of Google Cloud Storage or of the network becomes a Failure. Pure. */
export function gcsFailure(error: unknown, call: GcsErrorCall): Failure {
  const found = findFailure(error);
  if (found !== undefined) return found;
  const facts = readError(error);
  const said = facts.message === '' ? facts.code : `${facts.code} (${facts.message})`;
  const kind =
    (facts.status === undefined
      ? kindOfNetwork(facts.code, said, {
          endpoint: call.endpoint,
          field: 'spec.googleCloudStorage.endpoint',
          trust: 'Give the store a certificate that leads',
        })
      : byAnswer(facts.status, facts.code, said, call)) ??
    mend('StoreError', `the store answered ${said}`, 'Look it up in the documentation of Cloud Storage.');
  return failureOf(kind, `${call.what} at ${call.endpoint}`, facts);
}

function byAnswer(status: number, reason: string, said: string, call: GcsErrorCall): ErrorKind | undefined {
  if (
    /retentionPolicy|UnderActiveHold|retention|hold/i.test(reason) ||
    (status === 403 && /retention policy|active .*hold/i.test(said))
  ) {
    return mend(
      'AccessDenied',
      `an object lock of the store holds it (${said})`,
      'It can go when its retention has run out or its hold is taken off.',
    );
  }
  if (status === 401) {
    return mend(
      'WrongCredentials',
      `the store does not accept the credentials of ${call.credentialsFrom} (${said})`,
      'Correct service-account.json there.',
    );
  }
  if (status === 403) return /quota|rateLimit/i.test(reason) ? slow(said) : denied(said, call);
  if (status === 404) return notFound(said, call);
  if (status === 304 || status === 412) return byCondition(call);
  if (status === 408 || status === 429) return slow(said);
  if (status === 409)
    return pass(
      'WriteConflict',
      `somebody else writes the same object at this moment (${said})`,
      'Look who else writes there.',
    );
  if (status === 410) return pass('UploadLost', 'the store no longer knows the unfinished upload', 'Start again.');
  if (status === 413)
    return mend(
      'ObjectTooLarge',
      `the store takes no object of this size (${said})`,
      'Use the format Directory, which is stored in many objects.',
    );
  if (status === 416) return mend('InvalidRange', 'it has no such bytes', 'It is shorter than was expected.');
  if (status === 400 && /crc32c|md5|hash|checksum/i.test(said))
    return pass(
      'ChecksumMismatch',
      `the bytes were damaged on their way (${said})`,
      'If it happens again, check the network.',
    );
  if (status === 501) return mend('NotSupported', `the store cannot do this (${said})`, 'Use one that can.');
  if (status >= 500)
    return pass(
      'StoreError',
      `the store failed (HTTP ${status}, ${said})`,
      'It is tried again; if it stays so, look at the status of Google Cloud.',
    );
  return undefined;
}

function notFound(said: string, call: GcsErrorCall): ErrorKind {
  // The name of a bucket in the words about an object is not to be taken for it.
  const ofBucket = /bucket/i.test(said) && !/no such object/i.test(said);
  if (ofBucket || /^(list|begin|store)/.test(call.operation)) {
    return mend(
      'NoSuchBucket',
      `the bucket ${call.bucket} does not exist`,
      'Create it, or correct spec.googleCloudStorage.bucket.',
    );
  }
  return mend('NoSuchObject', 'there is no such object', 'It was never stored or has been removed.');
}

function byCondition({ operation }: GcsErrorCall): ErrorKind {
  return operation.startsWith('read')
    ? mend(
        'ObjectChanged',
        'the object was replaced while it was read',
        'Find out who writes under the repository’s prefix.',
      )
    : mend(
        'ObjectExists',
        'the object is already there, and nothing is ever overwritten',
        'Look who else writes there.',
      );
}

function slow(said: string): ErrorKind {
  return pass(
    'SlowDown',
    `the store asks for fewer requests (${said})`,
    'It is tried again; if it stays so, run fewer Jobs at once.',
  );
}

function denied(said: string, { credentialsFrom }: GcsErrorCall): ErrorKind {
  return mend(
    'AccessDenied',
    `${credentialsFrom} may not do this (${said})`,
    'Give it the role Storage Object User (roles/storage.objectUser) on the bucket.',
  );
}

interface Facts {
  readonly code: string;
  readonly status: number | undefined;
  readonly message: string;
}

function readError(error: unknown): Facts {
  if (error instanceof GcsError) {
    const { status, reason, message } = error;
    return { code: reason === '' ? `HTTP ${status}` : reason, status, message: bounded(message) };
  }
  if (!(error instanceof Error)) return { code: 'UnknownError', status: undefined, message: bounded(String(error)) };
  return { code: networkCode(error) ?? error.name, status: undefined, message: bounded(error.message) };
}

function readBody(text: string): { readonly reason: string; readonly message: string } {
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    if (typeof error !== 'object' || error === null) return { reason: '', message: bounded(text) };
    const errors: unknown = Reflect.get(error, 'errors');
    const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
    const reason: unknown = typeof first === 'object' && first !== null ? Reflect.get(first, 'reason') : undefined;
    return {
      reason: typeof reason === 'string' ? reason : '',
      message: bounded(String(Reflect.get(error, 'message'))),
    };
  } catch {
    return { reason: '', message: bounded(text.slice(0, 300)) };
  }
}
