import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createQuorum } from '../../../../src/agent/archive/quorum.ts';
import { terminal, transient } from '../../../../src/domain/failure.ts';
import { mounts } from '../../../../src/domain/mounts.ts';
import { writeSegment } from '../../../support/wal/segment.ts';
import {
  archivedFiles,
  archiveTask,
  bring,
  exists,
  makeSetting,
  type Setting,
  startSidecar,
  until,
  volumeRepository,
} from '../../../support/wal/sidecar.ts';

const signal = AbortSignal.timeout(120_000);
const places = ['one', 'two', 'three'].map((name) => ({ name }));
const timings = { grace: 20, pause: 100, longestPause: 400 };

describe('a file', () => {
  const failing =
    (names: readonly string[], error: Error = transient('StoreUnreachable', 'It is down.')) =>
    async ({ name }: { readonly name: string }) => {
      if (names.includes(name)) throw error;
    };

  test('is to be in all, where nothing else is said', async () => {
    const stored = new Set<string>();
    const quorum = createQuorum({ timings });
    await expect(quorum.store(places, stored, failing(['two']), { signal })).rejects.toMatchObject({
      reason: 'StoreUnreachable',
    });
    expect([...stored]).toEqual(['one', 'three']);
    await quorum.store(places, stored, failing([]), { signal });
    expect(stored.size).toBe(3);
  });

  test('is stored when as many have it as must, and one that lags is given up after a moment', async () => {
    const stored = new Set<string>();
    let given = false;
    const slow = async ({ name }: { readonly name: string }, call: { readonly signal: AbortSignal }) => {
      if (name !== 'three') return;
      await new Promise((_, reject) => {
        call.signal.addEventListener('abort', () => {
          given = true;
          reject(new Error('given up'));
        });
      });
    };
    await createQuorum({ minimum: 2, timings }).store(places, stored, slow, { signal });
    expect([[...stored], given]).toEqual([['one', 'two'], true]);
  });

  test('is not stored where fewer have it, and what must be mended is told first', async () => {
    const put = async ({ name }: { readonly name: string }) => {
      if (name === 'one') throw transient('StoreUnreachable', 'It is down.');
      if (name === 'two') throw terminal('AccessDenied', 'It may not.');
    };
    await expect(createQuorum({ minimum: 2, timings }).store(places, new Set(), put, { signal })).rejects.toMatchObject(
      { reason: 'AccessDenied' },
    );
  });

  test('that the server must not bring is refused however many have it', async () => {
    const put = failing(['three'], terminal('WalConflict', 'Other content.'));
    await expect(createQuorum({ minimum: 1, timings }).store(places, new Set(), put, { signal })).rejects.toMatchObject(
      { reason: 'WalConflict' },
    );
  });

  test('does not wait again and again for one that is away, which is tried later, or when it is needed', async () => {
    const tried: string[] = [];
    let away = true;
    const put = async ({ name }: { readonly name: string }) => {
      tried.push(name);
      if (name === 'two' && away) throw transient('StoreUnreachable', 'It is down.');
    };
    const quorum = createQuorum({ minimum: 2, timings });
    for (let file = 0; file < 3; file += 1) await quorum.store(places, new Set(), put, { signal });
    expect(tried.filter((name) => name === 'two')).toHaveLength(1);
    away = false;
    const needed = createQuorum({ minimum: 3, timings });
    await needed.store(places, new Set(), put, { signal });
    await expect
      .poll(async () => {
        const stored = new Set<string>();
        await quorum.store(places, stored, put, { signal });
        return stored.size;
      })
      .toBe(3);
  });
});

describe('a sidecar with two repositories', () => {
  let setting: Setting;
  const second = { ...volumeRepository, name: 'second' };
  const name = '000000010000000000000003';
  const isDone = (file: string) => exists(join(setting.spool, 'done', file));
  const inSecond = () => archivedFiles(join(setting.root + mounts.repository.volume(1), 'backups'));
  const takeAway = async () => {
    const place = setting.root + mounts.repository.volume(1);
    await rename(place, `${place}-away`);
    return () => rename(`${place}-away`, place);
  };

  beforeEach(async () => {
    setting = await makeSetting();
  });
  afterEach(() => setting.remove());

  test('answers the server when one of them has a segment, where one is enough', async () => {
    await takeAway();
    const sidecar = startSidecar(
      setting,
      archiveTask({ repositories: [volumeRepository, second], minRepositories: 1 }),
    );
    await bring(setting, name, writeSegment({ name }).content);
    await until('the answer', () => isDone(name));
    expect((await archivedFiles(setting.volume)).has(name)).toBe(true);
    await sidecar.stop();
    expect(sidecar.said.map(({ message }) => message)).toContain('WAL goes on without this repository for now');
  });

  test('does not answer before both have it, where nothing is said', async () => {
    const back = await takeAway();
    const sidecar = startSidecar(setting, archiveTask({ repositories: [volumeRepository, second] }));
    await bring(setting, name, writeSegment({ name }).content);
    await until('the first has it', async () => (await archivedFiles(setting.volume)).has(name));
    expect(await isDone(name)).toBe(false);
    await back();
    // What was refused for good the server brings again.
    await bring(setting, name, writeSegment({ name }).content);
    await until('the answer', () => isDone(name));
    expect((await inSecond()).has(name)).toBe(true);
    await sidecar.stop();
  });
});
