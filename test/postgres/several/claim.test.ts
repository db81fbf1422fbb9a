import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claimEverywhere } from '../../../src/agent/backup/targets.ts';
import { beginBackup } from '../../../src/repository/backups.ts';
import { volumeStore } from '../../../src/repository/volume.ts';

const { signal } = new AbortController();
const id = '20261121T030000Z-logical';
const location = { namespace: 'shop', policy: 'nightly', systemIdentifier: '7', backupID: id };
const started = {
  run: 'nightly-2',
  runUID: 'uid-2',
  jobName: 'nightly-2',
  pod: 'nightly-2-abcde',
  startTime: '2026-11-21T03:00:00.000Z',
  deadlineSeconds: 3600,
};
const another = { ...started, run: 'nightly-1', pod: 'nightly-1-abcde' };

let mount: string;
beforeEach(async () => {
  mount = await mkdtemp(join(tmpdir(), 'tidemark-claim-'));
});
afterEach(() => rm(mount, { recursive: true, force: true }));

describe('an ID of the same second, of another backup', () => {
  test.each([
    ['nowhere', [0, 0], id],
    ['in the first repository alone', [1, 0], `${id}-2`],
    ['in the second alone', [0, 1], `${id}-2`],
    ['in both', [1, 1], `${id}-2`],
    ['twice in the first', [2, 0], `${id}-3`],
    ['twice in the second, once in the first', [1, 2], `${id}-3`],
    ['eleven times in the first, twice in the second', [11, 2], `${id}-12`],
  ])('%s: one that is free is claimed in both', async (_, taken, expected) => {
    const repositories = taken.map((_, index) => ({
      name: `repository-${index}`,
      store: volumeStore({ mount, path: `${index}`, claimName: 'disk' }),
    }));
    const before: string[][] = [];
    for (const [index, { store }] of repositories.entries()) {
      for (let time = 0; time < (taken[index] ?? 0); time++) await beginBackup(store, location, another, signal);
      before.push(await keysOf(store));
    }
    const targets = await claimEverywhere(repositories, location, started, signal);
    expect(targets.map((target) => target.location.backupID)).toEqual([expected, expected]);
    for (const [index, { store }] of repositories.entries()) {
      const claimed = `shop/nightly/7/backups/${expected}/started.json`;
      expect(await keysOf(store)).toEqual([...(before[index] ?? []), claimed].toSorted());
    }
  });
});

async function keysOf(store: ReturnType<typeof volumeStore>): Promise<string[]> {
  return (await Array.fromAsync(store.list('', { signal }))).map(({ key }) => key).toSorted();
}
