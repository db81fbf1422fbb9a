import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { getCACertificates } from 'node:tls';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { Failure } from '../domain/failure.ts';
import { cancelled, passes, pause, type Timings } from './attempts.ts';
import { type S3Call, s3Failure } from './s3-failure.ts';

export interface S3Settings {
  readonly bucket: string;
  /** '' or without slashes at its ends. */
  readonly prefix: string;
  readonly region: string;
  readonly endpoint: string | undefined;
  readonly forcePathStyle: boolean;
  /** undefined: the SDK's own chain (workload identity, instance profile). */
  readonly credentials: S3ClientConfig['credentials'] | undefined;
  /** For messages: `the Secret x`. */
  readonly credentialsFrom: string;
  /** PEM certificates trusted besides the system's. */
  readonly ca: string | undefined;
  readonly storageClass: string | undefined;
  readonly serverSideEncryption:
    | { readonly algorithm: 'AES256' | 'aws:kms'; readonly kmsKeyID?: string | undefined }
    | undefined;
  /** WhenRequired: no checksum trailers, which some compatible stores refuse; Content-MD5 instead. */
  readonly checksumMode: 'WhenRequired' | 'WhenSupported';
}

/** Milliseconds. */
export interface S3Timings extends Timings {
  readonly connect: number;
}

export const defaultTimings: S3Timings = {
  connect: 10_000,
  idle: 30_000,
  completing: 15 * 60_000,
  outage: 120_000,
  cleanUp: 30_000,
};

/** Of one request, by the SDK (standard mode: 5xx, SlowDown, time-outs, connection errors). */
const attempts = 4;
const connections = 16;

export interface S3Connection {
  readonly settings: S3Settings;
  readonly timings: S3Timings;
  /** The object's whole key in the bucket. */
  readonly fullKey: (key: string) => string;
  /**
   * Runs one request (or one with its body) and turns every error into a Failure. A failure that may pass is tried again
   * for as long as an outage may last, if the store has ever answered: so `send` must be repeatable.
   */
  readonly run: <T>(call: RunCall, send: (client: S3Client, signal: AbortSignal) => Promise<T>) => Promise<T>;
  readonly close: () => void;
}

export interface RunCall {
  readonly operation: string;
  readonly key?: string | undefined;
  readonly signal: AbortSignal;
  readonly completing?: boolean;
}

export function connectS3(settings: S3Settings, timings: S3Timings = defaultTimings): S3Connection {
  const ca = settings.ca === undefined ? {} : { ca: [...getCACertificates('default'), settings.ca] };
  const httpAgent = new HttpAgent({ keepAlive: true, maxSockets: connections });
  const httpsAgent = new HttpsAgent({ keepAlive: true, maxSockets: connections, ...ca });
  const client = (socketTimeout: number) =>
    new S3Client({
      ...clientConfig(settings),
      requestHandler: { connectionTimeout: timings.connect, socketTimeout, httpAgent, httpsAgent },
    });
  const clients = { usual: client(timings.idle), completing: client(timings.completing) };
  let hasAnswered = false;
  for (const each of Object.values(clients)) {
    onAnswer(each, (status) => {
      hasAnswered ||= status < 500;
    });
  }
  const fullKey = (key: string) => (settings.prefix === '' ? key : `${settings.prefix}/${key}`);
  return {
    settings,
    timings,
    fullKey,
    close: () => Object.values(clients).forEach((each) => void each.destroy()),
    async run({ operation, key, signal, completing = false }, send) {
      const call = { ...describe(settings), operation, key: key === undefined ? undefined : fullKey(key) };
      const chosen = completing ? clients.completing : clients.usual;
      for (let attempt = 0, since: number | undefined; ; attempt += 1) {
        const outcome = await settle(send(chosen, signal), signal, call);
        if (!(outcome instanceof Failure)) return outcome.value;
        since ??= Date.now();
        if (!passes(outcome) || !hasAnswered || Date.now() - since > timings.outage) throw outcome;
        await pause(attempt, signal);
      }
    },
  };
}

/** Also of an answer whose body breaks off. */
function onAnswer(client: S3Client, notice: (status: number) => void): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { response } = result;
      if (typeof response === 'object' && response !== null && 'statusCode' in response)
        notice(Number(response.statusCode));
      return result;
    },
    { step: 'deserialize', priority: 'low' },
  );
}

function clientConfig(settings: S3Settings): S3ClientConfig {
  const checksums = settings.checksumMode === 'WhenRequired' ? 'WHEN_REQUIRED' : 'WHEN_SUPPORTED';
  return {
    region: settings.region,
    forcePathStyle: settings.forcePathStyle,
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    ...(settings.credentials === undefined ? {} : { credentials: settings.credentials }),
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    retryMode: 'standard',
    maxAttempts: attempts,
    // It would open a new connection for every part.
    expectContinueHeader: false,
  };
}

function describe({ bucket, endpoint, region, credentialsFrom }: S3Settings): Omit<S3Call, 'operation'> {
  return { bucket, endpoint: endpoint ?? `AWS ${region}`, credentials: credentialsFrom };
}

/** Also returns when the signal aborts while the SDK waits between two attempts, which it does not notice itself. */
async function settle<T>(
  sent: Promise<T>,
  signal: AbortSignal,
  call: S3Call,
): Promise<{ readonly value: T } | Failure> {
  let onAbort: (() => void) | undefined;
  try {
    const value = await new Promise<T>((resolve, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      sent.then(resolve, reject);
      if (signal.aborted) reject(signal.reason);
    });
    return { value };
  } catch (error) {
    return signal.aborted
      ? cancelled(signal, `${call.operation} s3://${call.bucket}/${call.key ?? ''}`)
      : s3Failure(error, call);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
