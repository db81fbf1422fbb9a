import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { terminal } from '../../../src/domain/failure.ts';
import { probeStore } from '../../../src/repository/probe.ts';
import type { Store } from '../../../src/repository/store.ts';
import { volumeStore } from '../../../src/repository/volume.ts';

const { signal } = new AbortController();
const until = new Date(Date.now() + 86_400_000);
let mount: string;
let volume: Store;
beforeEach(async () => {
  mount = await mkdtemp(join(tmpdir(), 'tidemark-volume-'));
  volume = volumeStore({ mount, path: 'b', claimName: 'disk' });
});
afterEach(() => rm(mount, { recursive: true, force: true }));

const refuse = (reason: string) => async () => {
  throw terminal(reason, 'It is refused.');
};

test.each<[string, Partial<Store>]>([
  ['put', { put: refuse('AccessDenied') }],
  ['get', { get: refuse('AccessDenied') }],
  ['multipart upload', { upload: refuse('AccessDenied') }],
  ['ranged get', { download: refuse('AccessDenied') }],
  ['conditional put', { refusesSecondPut: refuse('AccessDenied') }],
  ['delete', { delete: refuse('AccessDenied') }],
])('the call that failed is named: %s', async (name, broken) => {
  await expect(probeStore({ ...volume, ...broken }, signal)).rejects.toMatchObject({
    reason: 'AccessDenied',
    retryable: false,
    message: `The call “${name}” failed. It is refused.`,
  });
});

test('a store that gives back something else is unsound', async () => {
  const lying = { ...volume, get: async () => Buffer.from('something else') };
  await expect(probeStore(lying, signal)).rejects.toMatchObject({ reason: 'StoreUnsound', retryable: false });
});

test('what the store locks at once stays there, and is told as a capability', async () => {
  const locking: Store = {
    ...volume,
    head: async (key, options) => {
      const found = await volume.head(key, options);
      return found === undefined ? undefined : { ...found, lock: { until } };
    },
    delete: refuse('AccessDenied'),
  };
  expect(await probeStore(locking, signal)).toEqual({ capabilities: { conditionalPut: true, objectLock: true } });
  await expect(probeStore({ ...locking, delete: refuse('StoreError') }, signal)).rejects.toMatchObject({
    reason: 'StoreError',
  });
});

test('what an earlier probe left goes when it may, another probe’s stays', async () => {
  for (const name of ['old', 'young']) {
    await mkdir(join(mount, 'b/.tidemark-probe', name), { recursive: true });
    await writeFile(join(mount, 'b/.tidemark-probe', name, 'small'), 'x');
  }
  await utimes(join(mount, 'b/.tidemark-probe/old/small'), new Date(0), new Date(0));
  await probeStore(volume, signal);
  expect(await readdir(join(mount, 'b/.tidemark-probe'))).toEqual(['young']);
});
