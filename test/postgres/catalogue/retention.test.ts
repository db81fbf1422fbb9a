import { afterEach, beforeEach, expect, test } from 'vitest';
import { putHold, removeHold } from '../../../src/repository/holds.ts';
import { hour } from '../expire/manifest-of.ts';
import { createWorld, lookInto, pathOf, type World } from '../expire/world.ts';

const signal = () => AbortSignal.timeout(120_000);
const rules = { keepLast: 1, minBackups: 1 };

let world: World;
const { has, planned } = lookInto(() => world);
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.remove());

test('a hold that comes after the plan takes the deletion back', async () => {
  const old = await world.backUp(30, { segment: 2 });
  await world.backUp(3, { segment: 8 });
  await world.expire(rules);
  expect(planned(old)?.action).toBe('Delete');
  await putHold(world.store, pathOf(old), { namespace: 'shop', run: 'run-1' }, signal());
  await world.expire(rules, { later: hour + 5000 });
  expect(await has(old)).toBe(true);
});

test('retention leaves alone what the repository itself holds, though no BackupRun says so here; then it goes', async () => {
  const old = await world.backUp(30, { segment: 2 });
  await world.backUp(3, { segment: 8 });
  await world.archiveWal(1, 2, 9);
  await putHold(world.store, pathOf(old), { namespace: 'shop', run: 'of-a-lost-cluster' }, signal());
  const keys = await world.keys();
  await world.expire(rules);
  await world.expire(rules, { later: hour + 5000 });
  expect(planned(old)).toMatchObject({ action: 'Keep', reason: 'hold' });
  expect(await world.keys()).toEqual(keys);
  await removeHold(world.store, pathOf(old), signal());
  await world.expire(rules, { later: hour + 6000 });
  await world.expire(rules, { later: 2 * hour + 9000 });
  expect(await has(old)).toBe(false);
});
