import { afterAll, beforeAll, expect, test } from 'vitest';
import { leftTimeline } from '../../../../src/agent/watch-wal/fence.ts';
import { parseLsn } from '../../../../src/domain/wal/lsn.ts';
import { call, makeArchive, type StoredArchive } from './stored-archive.ts';

let plain: StoredArchive;
let promoted: StoredArchive;

beforeAll(async () => {
  [plain, promoted] = await Promise.all([makeArchive('plain'), makeArchive('promoted')]);
  await promoted.putHistory(2, '0/3000100');
});

afterAll(() => Promise.all([plain?.remove(), promoted?.remove()]));

const at = (current: string, timeline = 1) => ({ timeline, current: parseLsn(current), segmentSize: 16_777_216 });

test('a server that went on where its timeline was left is told by whom, where, and in which repository', async () => {
  const found = await leftTimeline(at('0/3000200'), [plain, promoted], call);
  expect(found).toMatchObject({ reason: 'OldPrimary' });
  expect(found?.message).toMatch(/at 0\/3000200 on timeline 1, and timeline 2 .* left that one at 0\/3000100/);
  expect(found?.message).toContain('the repository promoted');
});

test.each<[string, ReturnType<typeof at>]>([
  ['stopped just there', at('0/3000100')],
  ['has not come as far', at('0/2FFFFFF')],
  ['is on the new timeline', at('0/9000000', 2)],
])('not a server that %s', async (_, position) => {
  expect(await leftTimeline(position, [plain, promoted], call)).toBeUndefined();
});

test.each<[string, ReturnType<typeof at>]>([
  ['starts again just there', at('0/3000100')],
  ['starts again before it', at('0/2FFFFFF')],
])('a server that %s, after the new timeline was seen', async (_, position) => {
  const found = await leftTimeline(position, [plain, promoted], call, 2);
  expect(found).toMatchObject({ reason: 'OldPrimary' });
  expect(await leftTimeline(position, [plain], call, 2)).toBeUndefined();
});

test('nor any server while no archive knows a promotion', async () => {
  expect(await leftTimeline(at('0/9000000'), [plain], call)).toBeUndefined();
});
