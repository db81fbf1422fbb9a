import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { runRestore } from '../../../src/agent/restore/run-restore.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { restoreRequestSpec } from '../../../src/api/restore-request.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask, RestoreTask } from '../../../src/domain/task.ts';
import { task as taskSchema } from '../../../src/domain/task.ts';
import { readManifest } from '../../../src/repository/backups.ts';
import type { Store } from '../../../src/repository/store.ts';
import { verifyObjects } from '../../../src/repository/verify-objects.ts';
import { closeKeyrings } from '../../../src/stream/gpg-keyring.ts';
import {
  backUp,
  backupTask,
  createSetting,
  openRepository,
  recordingReporter,
  type Setting,
  volumeRepository,
} from '../../postgres/backup/setting.ts';
import { forGpg, type GpgKey, generateGpgKey, mountGpgKeys } from '../../postgres/encryption/gpg-keys.ts';
import { generateKeys, identitySecret, type KeyPair, mountIdentity } from '../../postgres/encryption/setting.ts';
import { chooseSeed, randomFrom } from '../../support/faults/random.ts';
import { bounded } from '../../support/faults.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type Damage, damaged, damages } from './damages.ts';
import { kindOf, type ObjectKind } from './kinds.ts';

vi.setConfig({ testTimeout: bounded(300_000, 7_200_000) });
const seed = chooseSeed();
const rows = 'SELECT count(*), sum(i), md5(string_agg(md5, $$$$ ORDER BY i)) FROM rows';
const signal = () => AbortSignal.timeout(120_000);
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
let server: TestServer;
let age: KeyPair;
let gpg: GpgKey;

beforeAll(async () => {
  [server, age, gpg] = await Promise.all([startPostgres(), generateKeys(), generateGpgKey()]);
  await server.psql('CREATE DATABASE shop; CREATE ROLE clerk');
});
afterAll(async () => {
  closeKeyrings();
  await server?.stop();
});

interface Variant {
  readonly name: string;
  readonly logical: object;
  readonly algorithm: string;
  readonly encrypt: 'age' | 'gpg' | undefined;
}

const variants: readonly Variant[] = [
  { name: 'Custom, zstd', logical: { format: 'Custom' }, algorithm: 'zstd', encrypt: undefined },
  { name: 'Directory, lz4', logical: { format: 'Directory', jobs: 2 }, algorithm: 'lz4', encrypt: undefined },
  { name: 'Plain, not packed', logical: { format: 'Plain' }, algorithm: 'none', encrypt: undefined },
  { name: 'Custom, gzip, age', logical: { format: 'Custom' }, algorithm: 'gzip', encrypt: 'age' },
  { name: 'Tar, zstd, gpg', logical: { format: 'Tar' }, algorithm: 'zstd', encrypt: 'gpg' },
];

interface World {
  readonly setting: Setting;
  readonly repository: RepositoryTask;
  readonly store: Store;
  /** Of the one that is damaged. */
  readonly backupID: string;
  readonly path: string;
  readonly checksum: string;
  readonly expected: string;
  /** Of the one before it. */
  readonly otherPath: string;
  readonly fileOf: (key: string) => string;
  readonly keys: readonly string[];
}

async function makeWorld({ logical, algorithm, encrypt }: Variant): Promise<World> {
  const setting = await createSetting(server);
  let repository: RepositoryTask = volumeRepository;
  if (encrypt === 'age') {
    const key = { recipients: [age.recipient], identitySecretRef: identitySecret };
    repository = { ...repository, spec: backupRepositorySpec.parse({ ...repository.spec, encryption: { age: key } }) };
    await mountIdentity(setting, age.identity);
  }
  if (encrypt === 'gpg') {
    repository = forGpg(repository, [gpg.fingerprint]);
    await mountGpgKeys(setting, { publicKeys: gpg.publicKey, privateKeys: gpg.privateKey });
  }
  const store = await openRepository(setting, repository);
  const make = async (turn: number) => {
    await server.psql(
      `DROP TABLE IF EXISTS rows; CREATE TABLE rows AS SELECT i * ${turn} AS i, md5((i * ${turn})::text) FROM generate_series(1, 2000) i`,
      'shop',
    );
    const task = backupTask(server, {
      repositories: [repository],
      logical: { databases: { include: ['shop'] }, ...logical },
      compression: { algorithm },
    });
    const { reporter } = await backUp(setting, task);
    const [entry] = reporter.status.repositories as readonly { readonly path: string }[];
    return { path: entry?.path ?? '', ...reporter.status };
  };
  const { path: otherPath } = await make(2);
  const { path, backupID, checksum } = (await make(3)) as { path: string; backupID?: string; checksum?: string };
  const root = join(setting.folders.mountRoot, mounts.repository.volume(0), 'tidemark');
  const entries = await readdir(join(root, path), { recursive: true, withFileTypes: true });
  return {
    ...{ setting, repository, store, path, otherPath },
    backupID: backupID ?? '',
    checksum: checksum ?? '',
    expected: await server.psql(rows, 'shop'),
    fileOf: (key) => join(root, key),
    keys: entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .sort(),
  };
}

async function verify({ store, path, checksum }: World, knowsChecksum: boolean): Promise<'found' | 'not found'> {
  try {
    const expectedSha256 = knowsChecksum ? checksum : undefined;
    const { manifest } = await readManifest(store, path, { signal: signal(), expectedSha256 });
    return (await verifyObjects(store, path, manifest, signal())).length > 0 ? 'found' : 'not found';
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return 'found';
  }
}

async function restore({ repository, backupID, path, checksum, setting }: World, knowsChecksum: boolean) {
  const asked = restoreRequestSpec.parse({
    source: { repository: { repositoryRef: { name: repository.name }, backupID } },
    target: { server: { host: server.host, credentialsSecretRef: { name: 'admin' } } },
    databases: [{ name: 'shop', targetName: 'back' }],
    globals: 'Restore',
  });
  const task = taskSchema.parse({
    action: 'restore',
    namespace: 'shop',
    request: { name: 'request', uid: randomUUID() },
    repository,
    backup: { backupID, path, ...(knowsChecksum ? { checksum } : {}) },
    server: {
      hosts: [server.host],
      port: server.port,
      database: 'postgres',
      role: 'Primary',
      credentialsSecretName: 'admin',
    },
    restore: asked,
  }) as RestoreTask;
  try {
    await runRestore({ task, reporter: recordingReporter(), log: quiet, signal: signal(), folders: setting.folders });
    return undefined;
  } catch (error) {
    return error;
  }
}

/** What a restore needs; the others tell of the backup, and are no part of it. */
const needed: ReadonlySet<ObjectKind> = new Set(['manifest', 'dump', 'globals']);
const verifiedKinds: ReadonlySet<ObjectKind> = new Set(['manifest', 'dump', 'globals', 'contents']);

async function judge(world: World, key: string, damage: Damage, knowsChecksum: boolean): Promise<string> {
  const kind = kindOf(key);
  const where = `${key}: ${damage.name}, ${knowsChecksum ? 'with' : 'without'} the digest, TIDEMARK_SEED=${seed}`;
  const said = await verify(world, knowsChecksum);
  if (verifiedKinds.has(kind)) expect(said, where).toBe('found');
  const error = await restore(world, knowsChecksum);
  const left = await server.psql("SELECT string_agg(datname, ' ') FROM pg_database WHERE datname ~ 'back|tidemark'");
  if (error === undefined) {
    const found = await server.psql(rows, 'back');
    await server.psql('DROP DATABASE back');
    expect(found, where).toBe(world.expected);
    expect(needed.has(kind), `${where}: restored`).toBe(false);
    return `${kind}: verification: ${said}; restore: right without it`;
  }
  if (!(error instanceof Failure)) throw new Error(where, { cause: error });
  expect(left, where).toBe('');
  expect(error.message, where).toMatch(/\w+.*\./);
  return `${kind}: verification: ${said}; restore: refused`;
}

describe.each(variants)('$name', (variant) => {
  test('damage of any object is found, and never restored', async () => {
    const random = randomFrom(seed);
    const world = await makeWorld(variant);
    const outcomes = new Set<string>();
    let count = 0;
    try {
      expect(world.keys.map(kindOf)).toEqual(
        expect.arrayContaining(['manifest', 'started', 'dump', 'contents', 'globals']),
      );
      expect(await verify(world, true)).toBe('not found');
      for (const key of world.keys) {
        const chosen =
          bounded(2, damages.length) === damages.length
            ? damages
            : [random.pick(damages as [Damage]), random.pick(damages as [Damage])];
        for (const damage of chosen) {
          const other = world.fileOf(key.replace(world.path, world.otherPath));
          const judged = await damaged(world.fileOf(key), damage, { other, random }, () =>
            judge(world, key, damage, random.below(2) === 0),
          );
          if (judged === undefined) continue;
          outcomes.add(judged);
          count += 1;
        }
      }
      expect(await verify(world, true)).toBe('not found');
    } finally {
      await world.store.close();
      await world.setting.remove();
    }
    process.stdout.write(`${variant.name}, seed ${seed}: ${count} damages\n  ${[...outcomes].sort().join('\n  ')}\n`);
  });
});
