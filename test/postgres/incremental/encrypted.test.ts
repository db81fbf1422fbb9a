import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { volumeRepository } from '../backup/setting.ts';
import { generateKeys, identitySecret, type KeyPair, mountIdentity } from '../encryption/setting.ts';
import { refusalOf } from '../recover-plan/plan-of.ts';
import { createWorld, type Made, type World } from './world.ts';

let world: World;
let keys: KeyPair;
let repository: RepositoryTask;
let full: Made;
let increment: Made;
let differential: Made;

beforeAll(async () => {
  world = await createWorld(17);
  keys = await generateKeys();
  const age = { recipients: [keys.recipient], identitySecretRef: identitySecret };
  repository = { name: volumeRepository.name, spec: { ...volumeRepository.spec, encryption: { age } } };
  // Nobody who makes backups has the identity.
  full = await world.backUp('Full', { repository });
  await world.write();
  increment = await world.backUp('Incremental', { repository, physical: { compress: 'Server' } });
  await world.write();
  differential = await world.backUp('Differential', { repository });
});
afterAll(async () => {
  await world?.remove();
});

const withIdentity = async (text: string | undefined) => {
  await mountIdentity(world.setting, text);
  const { account, mountRoot } = world.source;
  await execa('chown', ['-R', `${account.uid}:${account.gid}`, mountRoot]);
};
const from = () => ({ source: { repository, namespace: 'shop', policy: 'orders' } });

it('an encrypted chain is made without the identity', () => {
  const types = [full, increment, differential].map(({ manifest }) => [manifest.type, manifest.parentBackupID]);
  const { backupID } = full.manifest;
  expect(types).toEqual([
    ['Full', undefined],
    ['Incremental', backupID],
    ['Differential', backupID],
  ]);
});

it('nothing but the names and sizes of files is readable without it', async () => {
  const { fileList, backupManifest } = full.manifest.physical;
  expect(backupManifest.path).toMatch(/\.age$/);
  expect(fileList?.path).toBe('base/file-list.json.zst');
  const { stdout } = await execa('zstd', ['-dc', world.fileOf(`${full.path}/${fileList?.path}`)]);
  const list = JSON.parse(stdout);
  expect(list.Files.length).toBeGreaterThan(100);
  expect(new Set(list.Files.flatMap((file: object) => Object.keys(file)))).toEqual(new Set(['Path', 'Size']));
  const chunk = await readFile(world.fileOf(`${full.path}/${full.manifest.physical.chunks[0]?.path}`));
  expect(chunk.subarray(0, 21).toString()).toBe('age-encryption.org/v1');
});

it('its members are restored with the identity', async () => {
  await withIdentity(keys.identity);
  expect(await world.restored(increment.manifest.backupID, { repository })).toBe(increment.state);
  expect(await world.restored(differential.manifest.backupID, { repository })).toBe(differential.state);
});

it('a wrong identity is found in the pre-flight', async () => {
  await withIdentity((await generateKeys()).identity);
  const target = { targetImmediate: true, backupID: increment.manifest.backupID } as const;
  expect((await refusalOf(world.source, target, from())).reason).toBe('WrongIdentity');
  await withIdentity(undefined);
  expect((await refusalOf(world.source, target, from())).reason).toBe('IdentityMissing');
});
