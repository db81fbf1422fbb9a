import { afterEach, beforeEach, expect, test } from 'vitest';
import { runDelete } from '../../../src/agent/delete.ts';
import { Failure } from '../../../src/domain/failure.ts';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { putHold, removeHold } from '../../../src/repository/holds.ts';
import { createWorld, log, pathOf, type World } from './world.ts';

const signal = () => AbortSignal.timeout(120_000);

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.remove());

async function remove(backup: Manifest): Promise<string> {
  const task = {
    action: 'delete' as const,
    namespace: 'shop',
    run: { name: backup.run, uid: 'u' },
    repositories: [world.repository],
    backup: { backupID: backup.backupID, path: pathOf(backup) },
  };
  const reporter = { progress: () => undefined, finish: async () => undefined, facts: async () => undefined };
  try {
    return (await runDelete({ task, reporter, log, signal: signal() }, world.mountRoot)).reason;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return `${error.reason}: ${error.message}`;
  }
}

const keysOf = async (backup: Manifest) => (await world.keys()).filter((key) => key.startsWith(`${pathOf(backup)}/`));

test('one stored backup goes, whole, and no other; a second time it is gone already', async () => {
  const [first, second] = [await world.backUp(2), await world.backUp(1)];
  const before = await keysOf(second);
  expect(await remove(first)).toBe('BackupRemoved');
  expect(await keysOf(first)).toEqual([]);
  expect(await remove(first)).toBe('BackupRemoved');
  expect(await keysOf(second)).toEqual(before);
});

test('one that the repository holds stays whole until the hold is taken back', async () => {
  const backup = await world.backUp(1);
  await putHold(world.store, pathOf(backup), { namespace: 'shop', run: 'elsewhere' }, signal());
  const before = await keysOf(backup);
  expect(await remove(backup)).toMatch(/^BackupHeld: .*hold\.json/s);
  expect(await keysOf(backup)).toEqual(before);
  await removeHold(world.store, pathOf(backup), signal());
  expect(await remove(backup)).toBe('BackupRemoved');
});

test('one that increments stand on stays whole, and they are named; without them it goes', async () => {
  const full = await world.backUp(2);
  const child = full.backupID.replace('physical-full', 'physical-incremental').replace('2026', '2036');
  const folder = `${pathOf(full).replace(full.backupID, '')}${child}`;
  const parent = { parentBackupID: full.backupID, parentChecksum: `sha256:${'a'.repeat(64)}` };
  const manifest = { ...full, format: 3, type: 'Incremental', backupID: child, ...parent };
  await world.store.put(`${folder}/manifest.json`, Buffer.from(JSON.stringify(manifest)), {
    ifAbsent: true,
    signal: signal(),
  });
  const before = await keysOf(full);
  expect(await remove(full)).toMatch(new RegExp(`^BackupNeeded: .*${child}`, 's'));
  expect(await keysOf(full)).toEqual(before);
  await world.store.delete([`${folder}/manifest.json`], { signal: signal() });
  expect(await remove(full)).toBe('BackupRemoved');
});
