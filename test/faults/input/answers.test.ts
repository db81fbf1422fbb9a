import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Failure } from '../../../src/domain/failure.ts';
import { ApiError, ApiUnreachable } from '../../../src/kube/api-error.ts';
import { clientOf } from '../../../src/kube/request.ts';
import type { Timings } from '../../../src/repository/attempts.ts';
import type { Store } from '../../../src/repository/store.ts';
import { openAzure } from '../../support/azure/server.ts';
import { bounded } from '../../support/faults.ts';
import { openGcs } from '../../support/gcs/server.ts';
import { type Answer, startFaultyServer } from '../../support/s3/faulty-server.ts';
import { openS3 } from '../../support/s3/open.ts';
import { mutateBytes } from './mutate.ts';
import { type Random, seeded } from './random.ts';
import { corpus, corpusRoot } from './target.ts';

const some = bounded(120, 3000);
/** One try: what is wrong with an answer is wrong with the next. */
const timings: Timings & { readonly connect: number } = {
  connect: 1000,
  idle: 2000,
  completing: 2000,
  outage: -1,
  cleanUp: 1000,
};
/** Milliseconds for one call, with all of its pages. */
const longest = 10_000;

let count = 0;
afterAll(() => void process.stdout.write(`fuzz: ${count} mutated answers of stores\n`));

const places = [
  ['s3', (endpoint: string) => openS3({ endpoint, bucket: 'corpus' }, timings)],
  ['azure', (endpoint: string) => openAzure({ endpoint: `${endpoint}/tidemarktest`, container: 'corpus' }, timings)],
  ['gcs', (endpoint: string) => openGcs({ endpoint, bucket: 'corpus' }, timings)],
] as const;

describe.each(places)('what a store answers instead of what it should: %s', (name, open) => {
  const folder = join(corpusRoot, 'answers', name);
  const answers = readdirSync(folder)
    .sort()
    .map((file) => readFileSync(join(folder, file)));
  const listings = answers.filter((body) =>
    /ListBucketResult|EnumerationResults|storage#objects/.test(body.toString()),
  );
  let server: Awaited<ReturnType<typeof startFaultyServer>> | undefined;
  let store: Store | undefined;

  afterEach(async () => {
    await store?.close();
    await server?.stop();
  });

  test(
    'is a result that can be, or a Failure in words, and never goes on for ever',
    async () => {
      expect(listings.length).toBeGreaterThan(0);
      let random: Random = seeded(name);
      let asked = 0;
      server = await startFaultyServer((request): Answer => {
        asked += 1;
        const isList = /list|prefix/.test(request.query.toString()) || request.query.has('maxResults');
        // It would go on from page to page for as long as a token comes.
        if (asked > 12) return { status: 404, body: '' };
        return {
          status: random.chance(6) ? random.pick([206, 301, 400, 403, 404, 409, 412]) : 200,
          headers: headersOf(random, name),
          body: mutateBytes(
            random,
            (isList ? listings : answers)[random.below((isList ? listings : answers).length)] ?? Buffer.alloc(0),
            answers,
          ),
        };
      });
      store = open(server.endpoint);
      for (let number = 0; number < some; number += 1) {
        random = seeded('answers', name, number);
        asked = 0;
        count += 1;
        const begun = performance.now();
        const outcome = await asking(store, random).catch((error: unknown) => error);
        const seconds = performance.now() - begun;
        expect(
          outcome === undefined || outcome instanceof Failure,
          `${name}, answer ${number}: ${outcome instanceof Error ? outcome.stack : String(outcome)}`,
        ).toBe(true);
        if (outcome instanceof Failure) expect(outcome.message.length, outcome.message).toBeLessThan(3000);
        expect(seconds, `${name}, answer ${number}`).toBeLessThan(longest);
      }
    },
    bounded(120_000, 1_800_000),
  );
});

/** One call, whose result is looked at. */
async function asking(store: Store, random: Random): Promise<void> {
  const options = { signal: AbortSignal.timeout(longest) };
  switch (random.below(6)) {
    case 0:
      for await (const { key, size, lastModified } of store.list('a/', options)) {
        expect(key.startsWith('a/'), key).toBe(true);
        expect(Number.isSafeInteger(size) && size >= 0, String(size)).toBe(true);
        expect(Number.isNaN(lastModified.getTime())).toBe(false);
      }
      return;
    case 1:
      for await (const folder of store.listFolders('', options)) expect(folder.endsWith('/')).toBe(false);
      return;
    case 2:
      expect(Buffer.isBuffer(await store.get('a/one', options))).toBe(true);
      return;
    case 3: {
      const head = await store.head('a/one', options);
      if (head !== undefined) expect(Number.isSafeInteger(head.size) && head.size >= 0, String(head.size)).toBe(true);
      return;
    }
    case 4:
      return store.delete(['a/one'], options);
    default:
      for await (const part of await store.download('a/one', options)) expect(part.length).toBeLessThan(2 ** 20);
  }
}

function headersOf(random: Random, name: string): Readonly<Record<string, string>> {
  const type = name === 'gcs' ? 'application/json' : 'application/xml';
  const odd = ['', '-1', 'NaN', '99999999999999999999', '0', 'bytes 0-2/3', 'bytes 5-9/3', 'bytes */*', 'x'] as [
    string,
    ...string[],
  ];
  return {
    'content-type': random.chance(8) ? random.pick(['text/html', 'application/octet-stream', '']) : type,
    ...(random.chance(3) ? { 'content-range': random.pick(odd) } : {}),
    ...(random.chance(3) ? { etag: random.pick(odd) } : {}),
    ...(random.chance(3) ? { 'last-modified': random.pick(['x', 'Sat, 21 Nov 2026 10:15:00 GMT', '']) } : {}),
    ...(random.chance(3) ? { 'x-goog-hash': random.pick(['crc32c=AAAAAA==', 'md5=x', odd[0]]) } : {}),
    ...(random.chance(3) ? { 'x-goog-generation': random.pick(odd) } : {}),
  };
}

test('what answers in place of the API server is an error of the client’s', async () => {
  let random = seeded('api');
  const originals = corpus('api-errors');
  const server = await startFaultyServer(() => ({
    status: random.pick([200, 200, 403, 404, 409, 422]),
    headers: { 'content-type': random.pick(['application/json', 'text/html']) },
    body: mutateBytes(random, originals[0] ?? Buffer.alloc(0), originals),
  }));
  const client = clientOf({
    url: server.endpoint,
    namespace: 'shop',
    credentials: async () => ({ tls: {}, headers: {} }),
  });
  try {
    for (let number = 0; number < some; number += 1) {
      random = seeded('api', number);
      count += 1;
      // Not a read, which is asked again for as long as an outage lasts.
      const outcome = await client.request('POST', '/x', { body: {} }).catch((error: unknown) => error);
      if (outcome instanceof Error)
        expect(outcome instanceof ApiError || outcome instanceof ApiUnreachable, outcome.stack).toBe(true);
    }
  } finally {
    await client.close();
    await server.stop();
  }
});
