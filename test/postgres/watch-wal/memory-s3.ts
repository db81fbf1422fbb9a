import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import {
  type Answer,
  errorBody,
  type FaultyServer,
  type SeenRequest,
  startFaultyServer,
} from '../../support/s3/faulty-server.ts';

export interface MemoryS3 {
  readonly repository: RepositoryTask;
  readonly objects: ReadonlyMap<string, Buffer>;
  /** Refuses to store what it says yes to. */
  refuse: (key: string) => boolean;
  /** Takes requests and never answers. */
  silent: boolean;
  readonly stop: FaultyServer['stop'];
}

/** An S3 server in memory that stores what it is not told to refuse. */
export async function startMemoryS3(): Promise<MemoryS3> {
  const objects = new Map<string, Buffer>();
  const faults = { refuse: (_key: string) => false, silent: false };
  const server = await startFaultyServer((request) =>
    faults.silent ? { fault: 'silence' } : answer(request, objects, faults.refuse),
  );
  const s3 = { bucket: 'wal', endpoint: server.endpoint, credentialsSecretRef: { name: 'offsite' } };
  return {
    repository: { name: 'offsite', spec: backupRepositorySpec.parse({ s3 }) },
    objects,
    get refuse() {
      return faults.refuse;
    },
    set refuse(refuse) {
      faults.refuse = refuse;
    },
    get silent() {
      return faults.silent;
    },
    set silent(silent) {
      faults.silent = silent;
    },
    stop: server.stop,
  };
}

function answer(
  { method, path, query, headers, body }: SeenRequest,
  objects: Map<string, Buffer>,
  refuse: (key: string) => boolean,
): Answer {
  const key = decodeURIComponent(path).replace(/^\/wal\/?/, '');
  const found = objects.get(key);
  if (method === 'PUT') {
    if (refuse(key)) return { status: 403, body: errorBody('AccessDenied') };
    if (found !== undefined && headers['if-none-match'] === '*')
      return { status: 412, body: errorBody('PreconditionFailed') };
    objects.set(key, body);
    return { status: 200, headers: { etag: '"stored"' } };
  }
  if (key === '') return { status: 200, body: listing(objects, query) };
  if (found === undefined) return { status: 404, body: method === 'HEAD' ? '' : errorBody('NoSuchKey') };
  const size = { 'content-length': String(found.length), etag: '"stored"' };
  return method === 'HEAD' ? { status: 200, headers: size } : { status: 200, headers: size, body: found };
}

function listing(objects: ReadonlyMap<string, Buffer>, query: URLSearchParams): string {
  const prefix = query.get('prefix') ?? '';
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  const contents = keys.map(
    (key) =>
      `<Contents><Key>${key}</Key><Size>${objects.get(key)?.length}</Size><LastModified>2026-11-21T00:00:00.000Z</LastModified></Contents>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`;
}
