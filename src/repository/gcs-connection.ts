import { Readable } from 'node:stream';
import { Agent, type Dispatcher, request } from 'undici';
import { type Attempt, createAttempts, type Timings, usualTimings } from './attempts.ts';
import type { TokenSource } from './gcs-credentials.ts';
import { GcsError, gcsFailure } from './gcs-failure.ts';

export interface GcsSettings {
  readonly bucket: string;
  /** '' or without slashes at its ends. */
  readonly prefix: string;
  readonly endpoint: string | undefined;
  /** Read again from time to time: a renewed Secret is used within a minute. */
  readonly tokens: () => Promise<TokenSource>;
  /** For messages: `the Secret x`. */
  readonly credentialsFrom: string;
}

export interface GcsCall {
  readonly operation: string;
  readonly key?: string | undefined;
  readonly signal: AbortSignal;
  readonly completing?: boolean;
}

export interface GcsRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Under the endpoint, or whole (an upload's own address). */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Buffer[];
  /** Which statuses besides 2xx are answers too. */
  readonly also?: readonly number[];
}

export type GcsSend = (request: GcsRequest) => Promise<Dispatcher.ResponseData>;

export interface GcsConnection {
  readonly settings: GcsSettings;
  readonly timings: Timings;
  readonly fullKey: (key: string) => string;
  /** For messages. */
  readonly nameOf: (key: string | undefined) => string;
  /** The path of an object's resource; of the bucket's objects without a key. */
  readonly objectPath: (key?: string) => string;
  readonly uploadPath: string;
  /** Runs one request with its answer, repeated where it fails and may pass; every error is a Failure. */
  readonly run: <T>(call: GcsCall, work: (send: GcsSend, attempt: Attempt) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** Small enough to see that bytes move. */
const pieceSize = 256 * 1024;

/**
 * The JSON API of Cloud Storage as it is documented, over undici. Google's own package takes no AbortSignal and decides
 * by itself when to try again, so a Job could not be stopped, nor say why it waits.
 */
export function connectGcs(settings: GcsSettings, timings: Timings = usualTimings): GcsConnection {
  const { bucket, prefix, credentialsFrom, endpoint = 'https://storage.googleapis.com' } = settings;
  const base = endpoint.replace(/\/$/, '');
  // What is silent for too long is ended by attempts.ts.
  const dispatcher = new Agent({ connections: 16, headersTimeout: 0, bodyTimeout: 0 });
  const attempts = createAttempts(timings);
  const fullKey = (key: string) => (prefix === '' ? key : `${prefix}/${key}`);
  const nameOf = (key: string | undefined) =>
    `gs://${bucket}${key === undefined ? (prefix === '' ? '' : `/${prefix}`) : `/${fullKey(key)}`}`;
  const objects = `/storage/v1/b/${encodeURIComponent(bucket)}/o`;
  return {
    settings,
    timings,
    fullKey,
    nameOf,
    objectPath: (key) => (key === undefined ? objects : `${objects}/${encodeURIComponent(fullKey(key))}`),
    uploadPath: `/upload${objects}`,
    run({ operation, key, signal, completing }, work) {
      const what = `${operation} ${nameOf(key)}`;
      return attempts(
        {
          what,
          signal,
          completing,
          explain: (error) => gcsFailure(error, { what, operation, bucket, endpoint: base, credentialsFrom }),
        },
        async (attempt) => {
          const token = await (await settings.tokens())();
          return work((wanted) => sendRequest(dispatcher, base, token, wanted, attempt), attempt);
        },
      );
    },
    close: () => dispatcher.destroy(),
  };
}

async function sendRequest(
  dispatcher: Agent,
  base: string,
  token: string,
  { method, path, query = {}, headers = {}, body, also = [] }: GcsRequest,
  { signal, alive }: Attempt,
): Promise<Dispatcher.ResponseData> {
  const url = new URL(path.startsWith('/') ? base + path : path);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const length = body?.reduce((sum, each) => sum + each.length, 0);
  const answer = await request(url, {
    dispatcher,
    method,
    signal,
    headers: {
      ...headers,
      authorization: `Bearer ${token}`,
      ...(length === undefined ? {} : { 'content-length': String(length) }),
    },
    ...(body === undefined || length === 0 ? {} : { body: Readable.from(pieces(body, alive), { objectMode: false }) }),
  });
  alive();
  if (answer.statusCode < 300 || also.includes(answer.statusCode)) return answer;
  throw await GcsError.of(answer.statusCode, answer.body);
}

async function* pieces(body: readonly Buffer[], alive: () => void) {
  for (const each of body) {
    for (let start = 0; start < each.length; start += pieceSize) {
      yield each.subarray(start, start + pieceSize);
      alive();
    }
  }
}
