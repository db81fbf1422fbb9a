import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { recover, startAndAsk } from '../recover/recovery.ts';
import { ownedFolder, taskFor } from '../recover/source.ts';
import { planOf, refusalOf } from '../recover-plan/plan-of.ts';
import { createWorld, type Made, type World } from './world.ts';

let world: World;
let older: Made;
let full: Made;
let first: Made;
let second: Made;
let mend: () => Promise<void> = async () => undefined;

beforeAll(async () => {
  world = await createWorld(18);
  older = await world.backUp('Full');
  full = await world.backUp('Full');
  await world.write();
  first = await world.backUp('Incremental');
  await world.write();
  second = await world.backUp('Incremental');
  await world.source.ship();
});
afterAll(async () => {
  await world?.remove();
});
afterEach(async () => {
  await mend();
  mend = async () => undefined;
});

/** Takes a stored object away, or puts other bytes in its place, until the test is over. */
async function change(key: string, how: (bytes: Buffer) => Buffer | undefined): Promise<void> {
  const file = world.fileOf(key);
  const content = await readFile(file);
  const changed = how(content);
  if (changed === undefined) {
    await rename(file, `${file}-away`);
    mend = () => rename(`${file}-away`, file);
    return;
  }
  mend = () => writeFile(file, content);
  await writeFile(file, changed);
}

const flipped = (bytes: Buffer) => {
  const other = Buffer.from(bytes);
  const at = Math.floor(bytes.length / 2);
  other[at] = (other[at] ?? 0) ^ 1;
  return other;
};
const chunkOf = ({ manifest, path }: Made) => `${path}/${manifest.physical.chunks[0]?.path}`;

describe('the pre-flight refuses an increment', () => {
  const named = () => refusalOf(world.source, { targetImmediate: true, backupID: second.manifest.backupID });

  it.each([
    ['the full backup is gone', () => `${full.path}/manifest.json`, () => undefined, 'There is no backup at'],
    [
      'one between was changed',
      () => `${first.path}/manifest.json`,
      (bytes: Buffer) => Buffer.concat([bytes, Buffer.from(' ')]),
      'it was changed since',
    ],
    ['one between has lost an object', () => chunkOf(first), () => undefined, 'is gone'],
    [
      'the full backup has an object cut short',
      () => chunkOf(full),
      (bytes: Buffer) => bytes.subarray(0, -7),
      'bytes instead of',
    ],
    ['it has lost an object itself', () => chunkOf(second), () => undefined, 'is gone'],
  ])('where %s', async (_, key, how, words) => {
    await change(key(), how);
    const { reason, message } = await named();
    expect(reason).toBe('ChainBroken');
    expect(message).toContain(words);
    expect(message).toContain('Nothing was touched');
  });
});

it('without a name, an older backup and more WAL are taken in place of a broken chain, and the plan says so', async () => {
  await change(chunkOf(full), () => undefined);
  const plan = await planOf(world.source, {});
  expect(plan.backupID).toBe(older.manifest.backupID);
  const passedOver = [second, first, full].map(({ manifest }) => manifest.backupID);
  expect(plan.steps.slice(0, 3)).toEqual(
    passedOver.map((backupID) => expect.stringContaining(`Leave the newer backup ${backupID} alone`)),
  );
});

it('the plan tells the chain, and asks for the room to combine it', async () => {
  const plan = await planOf(world.source, {});
  const chain = [full, first, second].map(({ manifest }) => manifest);
  expect(plan).toMatchObject({ backupID: second.manifest.backupID, chain: chain.map(({ backupID }) => backupID) });
  expect(plan.steps.slice(0, 2)).toEqual([
    expect.stringMatching(/^Lay the chain of backup .* 2 increments/),
    expect.stringMatching(/^Combine them with pg_combinebackup/),
  ]);
  const together = chain.reduce((sum, { size }) => sum + size.source, 0);
  expect(Number(plan.recovery.bytes)).toBe(2 * together);
  const { reason, message } = await refusalOf(world.source, {}, { capacity: String(2 * together) });
  expect(reason).toBe('InsufficientStorage');
  expect(message).toContain('of the 3 backups that');
});

it('an object with other bytes of the same length is found before anything is combined, and nothing stays', async () => {
  const { source } = world;
  await change(chunkOf(first), flipped);
  const { recovery } = await planOf(source, {});
  const dataDirectory = join(source.root, 'flipped');
  const found = await recover(source, taskFor(recovery, {}, dataDirectory));
  expect(found.failure).toMatchObject({ reason: 'CorruptedBackup', retryable: false });
  expect(found.stages).not.toContain('Combining');
  expect((await readdir(source.root)).filter((name) => name.includes('flipped'))).toEqual([]);
});

it('a chain is combined on its way to a later moment, in a place that is a mount of its own', async () => {
  const { source } = world;
  const { recovery } = await planOf(source, {});
  const dataDirectory = join(source.root, 'mounted');
  await ownedFolder(dataDirectory, source.account);
  const found = await recover(source, taskFor(recovery, {}, dataDirectory), { mountPoints: [dataDirectory] });
  expect(found.failure, found.log + found.agentLog).toBeUndefined();
  expect(found.stages).toContain('Combining');
  expect((await readdir(dataDirectory)).filter((name) => /tidemark|manifest|^[0-9]/.test(name))).toEqual([]);
});

it('a chain is combined for a server that has the volume elsewhere, and keeps what was there before', async () => {
  const { source } = world;
  const { recovery } = await planOf(source, {});
  const volume = await ownedFolder(join(source.root, 'volume'), source.account);
  const dataDirectory = await ownedFolder(join(volume, 'pgdata'), source.account);
  await writeFile(join(dataDirectory, 'kept'), 'kept');
  const place = { dataDirectory, servedDirectory: volume, oldDataDirectory: 'before' };
  const found = await recover(source, taskFor(recovery, {}, dataDirectory, { place }));
  expect(found.failure, found.log + found.agentLog).toBeUndefined();
  expect((await readdir(volume)).sort()).toEqual(['before', 'pgdata']);
  expect(await readdir(join(volume, 'before'))).toEqual(['kept']);
  // As the mount of the folder shows it.
  await rename(volume, `${volume}-root`);
  await rename(join(`${volume}-root`, 'pgdata'), volume);
  const asked = await startAndAsk(
    source,
    volume,
    "SELECT (SELECT count(*) > 0 FROM elsewhere), pg_tablespace_location(oid) FROM pg_tablespace WHERE spcname = 'elsewhere'",
  );
  expect(asked).toMatch(/^t\|.*\/volume\/tablespaces-11112222\/\d+$/);
});
