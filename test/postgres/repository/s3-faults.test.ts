import { createHash } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import type { Store } from '../../../src/repository/store.ts';
import {
  type Answer,
  errorBody,
  type FaultyServer,
  type SeenRequest,
  startFaultyServer,
} from '../../support/s3/faulty-server.ts';
import { openS3, shortTimings } from '../../support/s3/open.ts';

const { signal } = new AbortController();
const options = { signal };
const missing: Answer = { status: 404 };
const opened: { store: Store; server: FaultyServer }[] = [];

afterEach(async () => {
  for (const { store, server } of opened.splice(0)) {
    await store.close();
    await server.stop();
  }
});

const serve = async (script: (request: SeenRequest, index: number) => Answer) => {
  const server = await startFaultyServer(script);
  const store = openS3({ endpoint: server.endpoint, bucket: 'backups' }, shortTimings);
  opened.push({ store, server });
  return { store, server };
};

/** What a request asks for. */
const kindOf = ({ method, query }: SeenRequest): string => {
  if (method === 'POST' && query.has('uploads')) return 'create';
  if (method === 'PUT' && query.has('partNumber')) return `part ${query.get('partNumber')}`;
  if (method === 'POST' && query.has('uploadId')) return 'complete';
  if (method === 'DELETE' && query.has('uploadId')) return 'abort';
  if (method === 'POST' && query.has('delete')) return 'delete many';
  return method.toLowerCase();
};
const kinds = ({ seen }: FaultyServer) => seen.map(kindOf);

const mebibyte = 1024 ** 2;
async function* parts(count: number) {
  for (let index = 0; index < 16 * count; index += 1) yield Buffer.alloc(mebibyte, index);
}

/** A server that takes multipart uploads and holds one object; `faults` answers before it, where it wants to. */
const multipart = (faults: (kind: string, times: number, request: SeenRequest) => Answer | undefined) => {
  const times = new Map<string, number>();
  let mark: string | undefined;
  let stored = 0;
  let size = 0;
  const usual: Record<string, (request: SeenRequest) => Answer> = {
    create({ headers }) {
      mark = String(headers['x-amz-meta-tidemark-write']);
      return {
        status: 200,
        body: '<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>',
      };
    },
    complete() {
      size = stored;
      return { status: 200, body: '<CompleteMultipartUploadResult><ETag>"x-2"</ETag></CompleteMultipartUploadResult>' };
    },
    head: () =>
      size === 0
        ? missing
        : { status: 200, headers: { 'content-length': String(size), 'x-amz-meta-tidemark-write': mark ?? '' } },
    abort: () => ({ status: 204 }),
    delete: () => ({ status: 204 }),
  };
  return serve((request) => {
    const kind = kindOf(request);
    const before = times.get(kind) ?? 0;
    times.set(kind, before + 1);
    const fault = faults(kind, before, request);
    if (fault !== undefined) return fault;
    if (kind.startsWith('part')) {
      stored += request.body.length;
      return { status: 200, headers: { etag: '"e"' } };
    }
    return usual[kind]?.(request) ?? { status: 500 };
  });
};

test('SlowDown is waited out', async () => {
  const { store, server } = await serve((_, index) =>
    index < 2 ? { status: 503, body: errorBody('SlowDown') } : { status: 200, body: 'content' },
  );
  expect((await store.get('a', options)).toString()).toBe('content');
  expect(server.seen.length).toBe(3);
});

test('a SlowDown that does not end is told as one, in bounded time', async () => {
  const { store } = await serve(() => ({ status: 503, body: errorBody('SlowDown') }));
  await expect(store.get('a', options)).rejects.toMatchObject({ reason: 'SlowDown', retryable: true });
});

test('an outage in the middle of an upload is survived', async () => {
  const { store, server } = await multipart((kind, times) =>
    kind === 'part 2' && times < 6 ? { fault: 'reset' } : undefined,
  );
  const { size } = await store.upload('stream', parts(3), options);
  expect(size).toBe(48 * mebibyte);
  expect(kinds(server).filter((kind) => kind === 'part 2').length).toBe(7);
});

test('every part and every put carries its MD5, so that the store checks the bytes', async () => {
  const { store, server } = await multipart(() => undefined);
  await store.upload('stream', parts(2), options);
  for (const one of server.seen.filter((request) => kindOf(request).startsWith('part'))) {
    expect(one.headers['content-md5']).toBe(createHash('md5').update(one.body).digest('base64'));
    expect(one.headers['x-amz-trailer']).toBeUndefined();
  }
});

test('a 200 whose body is an error does not finish an upload: nothing stays', async () => {
  const { store, server } = await multipart((kind) =>
    kind === 'complete' ? { status: 200, body: errorBody('InternalError') } : undefined,
  );
  await expect(store.upload('stream', parts(2), options)).rejects.toMatchObject({
    reason: 'StoreError',
    retryable: true,
  });
  expect(kinds(server)).toContain('abort');
});

test('a 200 whose body is an error, then success, finishes the upload', async () => {
  const { store } = await multipart((kind, times) =>
    kind === 'complete' && times === 0 ? { status: 200, body: errorBody('InternalError') } : undefined,
  );
  expect((await store.upload('stream', parts(2), options)).size).toBe(32 * mebibyte);
});

test('a lost answer to the finishing request is no failure: the object carries our mark', async () => {
  let mark: string | undefined;
  let finished = false;
  const { store, server } = await multipart((kind, times, { headers }) => {
    if (kind === 'create') mark = String(headers['x-amz-meta-tidemark-write']);
    if (kind === 'complete') {
      finished = true;
      return times === 0 ? { fault: 'reset' } : { status: 404, body: errorBody('NoSuchUpload') };
    }
    if (kind !== 'head' || !finished) return undefined;
    return {
      status: 200,
      headers: { 'content-length': String(32 * mebibyte), 'x-amz-meta-tidemark-write': mark ?? '' },
    };
  });
  expect((await store.upload('stream', parts(2), options)).size).toBe(32 * mebibyte);
  expect(kinds(server)).not.toContain('abort');
});

test('another writer who was faster is ObjectExists, and his object stays', async () => {
  let theirs = false;
  const { store, server } = await multipart((kind) => {
    if (kind === 'complete') {
      theirs = true;
      return { status: 412, body: errorBody('PreconditionFailed') };
    }
    if (kind === 'head' && theirs)
      return { status: 200, headers: { 'content-length': '5', 'x-amz-meta-tidemark-write': 'his' } };
    return undefined;
  });
  await expect(store.upload('stream', parts(2), options)).rejects.toMatchObject({ reason: 'ObjectExists' });
  expect(kinds(server)).toContain('abort');
  expect(kinds(server)).not.toContain('delete');
});

test('a store that stored less than it acknowledged is found out', async () => {
  const { store, server } = await multipart((kind, times) =>
    kind === 'head' && times > 0 ? { status: 200, headers: { 'content-length': '7' } } : undefined,
  );
  await expect(store.upload('stream', parts(2), options)).rejects.toMatchObject({ reason: 'ChecksumMismatch' });
  expect(kinds(server)).toContain('abort');
});

test('a part that is refused for good ends the upload, also while the stream is silent', async () => {
  const { store, server } = await multipart((kind) =>
    kind === 'part 1' ? { status: 403, body: errorBody('AccessDenied') } : undefined,
  );
  async function* silent() {
    yield* parts(1);
    await new Promise(() => undefined);
  }
  await expect(store.upload('stream', silent(), options)).rejects.toMatchObject({ reason: 'AccessDenied' });
  expect(kinds(server)).toContain('abort');
});

test('a part that does not arrive as it was sent is sent again', async () => {
  const { store } = await multipart((kind, times) =>
    kind === 'part 1' && times === 0 ? { status: 400, body: errorBody('BadDigest') } : undefined,
  );
  expect((await store.upload('stream', parts(1), options)).size).toBe(16 * mebibyte);
});

test('a put whose answer was lost is known by its mark', async () => {
  let mark: string | undefined;
  const { store } = await serve((request) => {
    const kind = kindOf(request);
    if (kind === 'head') {
      return mark === undefined
        ? missing
        : { status: 200, headers: { 'content-length': '4', 'x-amz-meta-tidemark-write': mark } };
    }
    if (mark !== undefined) return { status: 412, body: errorBody('PreconditionFailed') };
    mark = String(request.headers['x-amz-meta-tidemark-write']);
    return { fault: 'reset' };
  });
  await store.put('claim', Buffer.from('mine'), { ifAbsent: true, signal });
});

test('a store without conditional writes is looked at before and after', async () => {
  let mark: string | undefined;
  const { store, server } = await serve((request) => {
    if (request.method === 'HEAD') {
      return mark === undefined
        ? missing
        : { status: 200, headers: { 'content-length': '4', 'x-amz-meta-tidemark-write': mark } };
    }
    if (request.headers['if-none-match'] !== undefined) return { status: 501, body: errorBody('NotImplemented') };
    mark = String(request.headers['x-amz-meta-tidemark-write']);
    return { status: 200 };
  });
  await store.put('claim', Buffer.from('mine'), { ifAbsent: true, signal });
  expect(kinds(server)).toEqual(['head', 'put', 'put', 'head']);
  expect(await store.refusesSecondPut?.('claim', options)).toBe(false);
});

test('a download goes on where its connection broke', async () => {
  const content = Buffer.alloc(20 * mebibyte);
  for (let index = 0; index < content.length; index += 4) content.writeUInt32LE(index, index);
  let cuts = 0;
  const { store } = await serve(({ headers }) => {
    const [start = 0, end = 0] = String(headers.range).replace('bytes=', '').split('-').map(Number);
    const body = content.subarray(start, end + 1);
    const range = { 'content-range': `bytes ${start}-${start + body.length - 1}/${content.length}`, etag: '"e"' };
    cuts += 1;
    if (cuts % 2 === 1) return { fault: 'cut', headers: range, body, after: 100_000 };
    return { status: 206, headers: range, body };
  });
  const got = Buffer.concat(await Array.fromAsync(await store.download('big', options)));
  expect(got.equals(content)).toBe(true);
});

test('an object that is replaced while it is read is refused', async () => {
  const { store } = await serve(({ headers }) =>
    headers['if-match'] === undefined
      ? {
          status: 206,
          headers: { 'content-range': `bytes 0-${4 * mebibyte - 1}/${9 * mebibyte}`, etag: '"e"' },
          body: Buffer.alloc(4 * mebibyte),
        }
      : { status: 412, body: errorBody('PreconditionFailed') },
  );
  await expect(Array.fromAsync(await store.download('big', options))).rejects.toMatchObject({
    reason: 'ObjectChanged',
  });
});

test('an empty object, of which there is no range, is empty', async () => {
  const { store } = await serve(({ method }) =>
    method === 'HEAD'
      ? { status: 200, headers: { 'content-length': '0' } }
      : { status: 416, body: errorBody('InvalidRange') },
  );
  expect(await Array.fromAsync(await store.download('empty', options))).toEqual([]);
});

test('where many keys cannot be deleted at once they are deleted one by one', async () => {
  const { store, server } = await serve((request) =>
    kindOf(request) === 'delete many' ? { status: 501, body: errorBody('NotImplemented') } : { status: 204 },
  );
  await store.delete(['a', 'b', 'c'], options);
  expect(kinds(server)).toEqual(['delete many', 'delete', 'delete', 'delete']);
});

test('a key that could not be deleted with the others is told', async () => {
  const { store } = await serve((request) =>
    kindOf(request) === 'delete many'
      ? {
          status: 200,
          body: '<DeleteResult><Deleted><Key>pre/fix/a</Key></Deleted><Error><Key>pre/fix/b</Key><Code>AccessDenied</Code></Error></DeleteResult>',
        }
      : { status: 403, body: errorBody('AccessDenied') },
  );
  await expect(store.delete(['a', 'b'], options)).rejects.toMatchObject({
    reason: 'AccessDenied',
    message: expect.stringContaining('pre/fix/b'),
  });
});

test('an expired token is told as that, with what to renew', async () => {
  const { store } = await serve(() => ({ status: 400, body: errorBody('ExpiredToken') }));
  await expect(store.get('a', options)).rejects.toMatchObject({
    reason: 'ExpiredToken',
    message: expect.stringContaining('AWS_SESSION_TOKEN'),
  });
});
