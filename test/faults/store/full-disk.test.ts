import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, expect, test } from 'vitest';
import { mounts } from '../../../src/domain/mounts.ts';
import type { Store } from '../../../src/repository/store.ts';
import { volumeStore } from '../../../src/repository/volume.ts';
import { testSystem, writeSegment } from '../../support/wal/segment.ts';
import { archivedFiles, bring, exists, makeSetting, startSidecar, until } from '../../support/wal/sidecar.ts';

const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const mount = (size: string, folder: string, more: readonly string[] = []) =>
  execa('mount', ['-t', 'tmpfs', '-o', [`size=${size}`, ...more].join(','), 'tmpfs', folder]);

/** false where this machine lets nobody mount. */
async function small(folder: string): Promise<boolean> {
  try {
    await mount('1m', folder);
    endings.push(async () => void (await execa('umount', [folder])));
    return true;
  } catch {
    return false;
  }
}

async function* chunks(count: number) {
  for (let made = 0; made < count; made += 1) yield Buffer.alloc(64 * 1024, made);
}

test('a volume that fills up: told as that, and nothing of the object stays', async ({ skip }) => {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-full-'));
  endings.push(() => rm(folder, { recursive: true }));
  if (!(await small(folder))) skip('nothing can be mounted here');
  const store: Store = volumeStore({ mount: folder, path: 'backups', claimName: 'claim' });
  const signal = AbortSignal.timeout(120_000);
  await store.upload('folder/first', chunks(4), { signal });
  await expect(store.upload('folder/second', chunks(64), { signal })).rejects.toMatchObject({
    reason: 'StoreFull',
    retryable: false,
    message: expect.stringMatching(/no room left.*Enlarge the claim claim, or remove backups\./),
  });
  const put = store.put('other/third', Buffer.alloc(1024 ** 2), { ifAbsent: true, signal });
  await expect(put).rejects.toMatchObject({ reason: 'StoreFull' });
  const keys = (await Array.fromAsync(store.list('', { signal }))).map(({ key }) => key);
  expect(keys).toEqual(['folder/first']);
  expect(await readdir(join(folder, 'backups'), { recursive: true })).toEqual(['folder', 'folder/first']);
  // Room is all that it wants.
  await store.delete(keys, { signal });
  await store.upload('folder/second', chunks(12), { signal });
  await store.close();
});

test('a volume that is full takes no WAL, and says so; with room it takes all', async ({ skip }) => {
  const pod = await makeSetting();
  endings.push(pod.remove);
  const folder = pod.root + mounts.repository.volume(0);
  if (!(await small(folder))) skip('nothing can be mounted here');
  await execa('chmod', ['777', folder]);
  const sidecar = startSidecar(pod, undefined, { look: 100, tell: 500, grace: 1000, longestPause: 300 });
  endings.push(sidecar.stop);
  await until('the spool is there', () => exists(join(pod.spool, 'archive.sh')));
  const system = Buffer.alloc(8);
  system.writeBigUInt64LE(testSystem);
  await mkdir(join(pod.spool, 'incoming'), { recursive: true });
  await writeFile(join(pod.spool, 'incoming', '.system'), system);
  await writeFile(join(folder, 'something'), Buffer.alloc(1_000_000));
  const files = [1, 2, 3].map((number) => {
    const name = `00000001000000000000000${number}`;
    return { name, content: writeSegment({ name, rest: randomBytes(1024 ** 2) }).content };
  });
  for (const { name, content } of files) await bring(pod, name, content);
  const failed = () => readdir(join(pod.spool, 'failed'));
  await until('it is told', async () => (await failed()).some((name) => !name.startsWith('.')));
  expect(await readdir(join(pod.spool, 'done'))).toEqual([]);
  const said = (
    await execa('cat', [join(pod.spool, 'failed', (await failed()).find((name) => !name.startsWith('.')) ?? '')])
  ).stdout;
  expect(said).toMatch(/no room left/);
  await mount('20m', folder, ['remount']);
  for (const { name, content } of files) await bring(pod, name, content);
  const done = async () => (await readdir(join(pod.spool, 'done'))).filter((name) => !name.startsWith('.')).length;
  await until('all are stored', async () => (await done()) === files.length);
  const stored = await archivedFiles(pod.volume);
  for (const { name, content } of files) expect(stored.get(name)?.equals(content), name).toBe(true);
});
