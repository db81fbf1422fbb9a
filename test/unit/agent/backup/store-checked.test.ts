import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { storeChecked } from '../../../../src/agent/backup/store-checked.ts';
import { type Target, targetIn } from '../../../../src/agent/backup/targets.ts';
import { backupRepositorySpec } from '../../../../src/api/backup-repository.ts';
import { mounts } from '../../../../src/domain/mounts.ts';
import { openStore } from '../../../../src/repository/open.ts';
import type { Store } from '../../../../src/repository/store.ts';

let root: string;
let store: Store;
const location = { namespace: 'shop', policy: 'orders', systemIdentifier: '1', backupID: 'b' };
const signal = AbortSignal.timeout(120_000);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tidemark-checked-'));
  await mkdir(join(root, mounts.repository.volume(0)), { recursive: true });
  const spec = backupRepositorySpec.parse({ volume: { claimName: 'backups' } });
  store = await openStore({ name: 'local', spec }, 0, { mountRoot: root });
});
afterEach(async () => {
  await store.close();
  await rm(root, { recursive: true });
});

async function* content() {
  yield Buffer.from('what was sent');
}

const storeIn = (...targets: readonly Target[]) =>
  storeChecked({ targets, path: 'databases/a/dump.sql', stages: [], input: content(), signal });

test('what reads back as it was sent is stored', async () => {
  expect(await storeIn(targetIn({ name: 'local', store }, location))).toMatchObject({
    size: 13,
    path: 'databases/a/dump.sql',
  });
});

/** A store that took everything, and has something else. */
function forgetful(download: (whole: Buffer) => readonly Buffer[]): Store {
  return {
    ...store,
    upload: (key, body, options) => store.upload(key, body, options),
    async download(key, options) {
      const whole = Buffer.concat(await Array.fromAsync(await store.download(key, options)));
      return (async function* () {
        yield* download(whole);
      })();
    },
  };
}

test.each<[string, (whole: Buffer) => readonly Buffer[]]>([
  ['a byte that is another', (whole) => [Buffer.from(whole.toString().replace('sent', 'bent'))]],
  ['an end that is missing', (whole) => [whole.subarray(0, 5)]],
  ['an end that is too much', (whole) => [whole, Buffer.from('!')]],
  ['nothing at all', () => []],
])('%s in the repository is a failure that names the object', async (_, download) => {
  await expect(storeIn(targetIn({ name: 'local', store: forgetful(download) }, location))).rejects.toMatchObject({
    reason: 'ChecksumMismatch',
    retryable: true,
    message: expect.stringContaining('shop/orders/1/backups/b/databases/a/dump.sql'),
  });
});
