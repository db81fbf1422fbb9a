import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { checkSegment } from '../../../src/domain/wal/read-segment.ts';
import { identityOf } from '../../../src/repository/identity.ts';
import { openStore } from '../../../src/repository/open.ts';
import { openEncryption } from '../../../src/repository/open-encryption.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import { closeKeyrings } from '../../../src/stream/gpg-keyring.ts';
import { createSetting, type Setting, volumeRepository } from '../../postgres/backup/setting.ts';
import { forGpg, generateGpgKey, mountGpgKeys } from '../../postgres/encryption/gpg-keys.ts';
import { generateKeys, identitySecret, mountIdentity } from '../../postgres/encryption/setting.ts';
import { chooseSeed, randomFrom } from '../../support/faults/random.ts';
import { bounded } from '../../support/faults.ts';
import { writeSegment } from '../../support/wal/segment.ts';
import { damaged, damages } from './damages.ts';
import { kindOf } from './kinds.ts';

vi.setConfig({ testTimeout: bounded(300_000, 7_200_000) });
const seed = chooseSeed();
const options = () => ({ signal: AbortSignal.timeout(120_000) });
const place = { namespace: 'shop', policy: 'orders', systemIdentifier: '7' };
const nobody = { superuser: '', password: '' } as never;
const names = ['000000010000000000000001', '000000010000000000000002'] as const;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-damage-'));
});
afterAll(async () => {
  closeKeyrings();
  await rm(folder, { recursive: true, force: true });
});

const contents = new Map(
  names.map((name) => [name, writeSegment({ name, rest: randomBytes(900_000) }).content] as const),
);

async function repositoryOf(encrypt: string, setting: Setting): Promise<RepositoryTask> {
  if (encrypt === 'age') {
    const { recipient, identity } = await generateKeys();
    await mountIdentity(setting, identity);
    const age = { recipients: [recipient], identitySecretRef: identitySecret };
    return { ...volumeRepository, spec: backupRepositorySpec.parse({ ...volumeRepository.spec, encryption: { age } }) };
  }
  if (encrypt === 'gpg') {
    const key = await generateGpgKey();
    await mountGpgKeys(setting, { publicKeys: key.publicKey, privateKeys: key.privateKey });
    return forGpg(volumeRepository, [key.fingerprint]);
  }
  return volumeRepository;
}

const variants = [
  { algorithm: 'zstd', encrypt: 'nothing' },
  { algorithm: 'gzip', encrypt: 'nothing' },
  { algorithm: 'lz4', encrypt: 'nothing' },
  { algorithm: 'none', encrypt: 'nothing' },
  { algorithm: 'zstd', encrypt: 'age' },
  { algorithm: 'zstd', encrypt: 'gpg' },
] as const;

/** Read as it was, or not at all; archived again, never beside what is there. */
async function judge(archive: WalArchive, key: string): Promise<string> {
  const name = /[0-9A-F]{24}/.exec(key.slice(key.lastIndexOf('/')))?.[0] as (typeof names)[number];
  const expected = contents.get(name);
  const read = await archive.get(name, options()).then(
    (content) => {
      if (content === undefined) return 'missing';
      if (content.equals(expected ?? Buffer.alloc(0))) return 'right';
      // Whole, and another's: it is held against its name before a server gets it.
      expect(() => checkSegment(content, name), key).toThrow(Failure);
      return 'refused by its header';
    },
    (error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      expect(error.message, key).toMatch(/\w+.*\./);
      return error.reason;
    },
  );
  return `${kindOf(`/wal/${key.split('/wal/')[1]}`)}: ${read}`;
}

describe.each(variants)('packed with $algorithm, encrypted with $encrypt', ({ algorithm, encrypt }) => {
  test('a damaged segment or index gives no other WAL', async () => {
    const setting = await createSetting(nobody);
    const repository = await repositoryOf(encrypt, setting);
    const { mountRoot } = setting.folders;
    const store = await openStore(repository, 0, { mountRoot });
    const encryption = await openEncryption(repository, 0, { mountRoot });
    const identity = encryption === undefined ? undefined : identityOf(repository, 0, { mountRoot });
    const archive = openWalArchive(store, place, { compression: { algorithm }, encryption, identity });
    const random = randomFrom(seed);
    const outcomes = new Map<string, number>();
    try {
      for (const [name, content] of contents) await archive.put(name, content, options());
      const root = join(mountRoot, mounts.repository.volume(0), 'tidemark');
      const files = (await readdir(root, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
      expect(files.length).toBe(encryption === undefined ? 2 : 4);
      for (const file of files) {
        const key = relative(root, file);
        const other = file.replace(/1(?=\.(zst|json)$)/, '2');
        for (let round = 0; round < bounded(1, 30); round += 1) {
          for (const damage of damages) {
            const outcome = await damaged(file, damage, { other, random }, () => judge(archive, key));
            if (outcome !== undefined) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          }
        }
      }
    } finally {
      await store.close();
      await setting.remove();
    }
    const lines = [...outcomes].map(([outcome, times]) => `${outcome} (${times})`);
    process.stdout.write(`${algorithm}, ${encrypt}, seed ${seed}: ${lines.sort().join('; ')}\n`);
  });
});
