import { access, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecoveryPlan } from '../../../src/api/pitr-recovery.ts';
import { type Encryption, encryptionOf } from '../../../src/domain/encryption.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { readSegment } from '../../../src/domain/wal/read-segment.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import { createSetting, type Setting, volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask } from '../physical/physical-setting.ts';
import { recover, startAndAsk } from '../recover/recovery.ts';
import { createSource, type Source, taskFor } from '../recover/source.ts';
import { planOf, refusalOf } from '../recover-plan/plan-of.ts';
import { generateKeys, identitySecret, type KeyPair, mountIdentity } from './setting.ts';

const marker = 'the-marker-that-nobody-may-read';
const rows = "SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM orders";

let source: Source;
let setting: Setting;
let keys: KeyPair;
let repository: RepositoryTask;
let archive: WalArchive;
let dataDirectory: string;

const options = () => ({ signal: AbortSignal.timeout(120_000) });
const repositoryFor = ({ recipient }: KeyPair): RepositoryTask => ({
  name: volumeRepository.name,
  spec: {
    ...volumeRepository.spec,
    encryption: { age: { recipients: [recipient], identitySecretRef: identitySecret } },
  },
});
const folder = () => join(source.mountRoot, mounts.repository.volume(0), 'tidemark');
const from = () => ({ source: { repository, namespace: 'shop', policy: 'orders' } });

/** The server's account reads what was written here. */
async function handOver(): Promise<void> {
  const { account, mountRoot } = source;
  await execa('chown', ['-R', `${account.uid}:${account.gid}`, mountRoot]);
}

async function backUp(physical: object): Promise<{ readonly manifest: PhysicalManifest; readonly path: string }> {
  const task = physicalTask(source.server, physical, { repositories: [repository] });
  const { error, reporter } = await backUpPhysically(setting, task);
  if (error !== undefined) throw error;
  await handOver();
  return physicalManifestOf(source.store, reporter.status);
}

/** Ends a segment, and archives what the server has brought as the sidecar does. */
async function ship(into = archive): Promise<void> {
  await source.server.psql('SELECT pg_logical_emit_message(true, $$$$, $$end$$)');
  const name = await source.server.psql('SELECT pg_walfile_name(pg_current_wal_insert_lsn())');
  await source.server.psql('SELECT pg_switch_wal()');
  await vi.waitFor(async () => expect(await readdir(source.archived)).toContain(name), { timeout: 120_000 });
  for (const file of (await readdir(source.archived)).sort()) {
    if (!file.startsWith('.')) await into.put(file, await readFile(join(source.archived, file)), options());
  }
  await execa('find', [source.archived, '-type', 'f', '-delete']);
  await handOver();
}

async function mountKeys(text: string | undefined): Promise<void> {
  await mountIdentity(setting, text);
  await handOver();
}

function recoverTo(recovery: RecoveryPlan, more: object = {}) {
  return recover(source, taskFor(recovery, {}, dataDirectory, { ...from(), ...more }));
}

beforeAll(async () => {
  [source, keys] = await Promise.all([createSource(), generateKeys()]);
  const { server, systemIdentifier } = source;
  dataDirectory = join(source.root, 'recovered');
  const plain = await createSetting(server);
  setting = { ...plain, folders: { ...plain.folders, mountRoot: source.mountRoot } };
  repository = repositoryFor(keys);
  const encryption = encryptionOf(repository.spec) as Encryption;
  archive = openWalArchive(source.store, { namespace: 'shop', policy: 'orders', systemIdentifier }, { encryption });
  await server.psql(
    `CREATE TABLE orders AS SELECT id, '${marker}' || sha256(id::text::bytea)::text AS note FROM generate_series(1, 200000) id`,
  );
}, 60_000);

beforeEach(() => mountKeys(keys.identity));

afterEach(async () => {
  if (dataDirectory !== undefined) await rm(dataDirectory, { recursive: true, force: true });
});

afterAll(async () => {
  await setting?.remove();
  await source?.remove();
});

it.each([
  ['in chunks, with its own WAL', { compress: 'Client', walMethod: 'Stream' }],
  ['packed by the server', { compress: 'Server', walMethod: 'Fetch' }],
])(
  'a backup %s and encrypted WAL become a server again, and neither can be read without the identity',
  async (_, physical) => {
    const { server } = source;
    const { manifest, path } = await backUp(physical);
    expect(manifest.encryption).toEqual({ scheme: 'age', recipients: [keys.recipient] });
    await server.psql(`INSERT INTO orders SELECT 1000000 + id, '${marker}' FROM generate_series(1, 1000) id`);
    const expected = await server.psql(rows);
    await ship();
    const stored = await readdir(join(folder(), path), { recursive: true, withFileTypes: true });
    const objects = stored.filter((entry) => entry.isFile() && !/^(manifest|started)\.json$/.test(entry.name));
    expect(objects.length).toBeGreaterThan(2);
    for (const { parentPath, name } of objects) {
      const bytes = await readFile(join(parentPath, name));
      expect(name).toMatch(/\.age$/);
      expect(bytes.toString('latin1', 0, 22), name).toBe('age-encryption.org/v1\n');
      expect(bytes.includes(marker), name).toBe(false);
    }
    const { recovery } = await planOf(source, { backupID: manifest.backupID }, from());
    const found = await recoverTo(recovery);
    expect(found.failure, found.log + found.agentLog).toBeUndefined();
    expect(await startAndAsk(source, dataDirectory, rows)).toBe(expected);
  },
  60_000,
);

describe('WAL in an encrypted archive', () => {
  it('tells when commits were, without an identity', async () => {
    await source.server.psql('CREATE TABLE IF NOT EXISTS ticks (n int); INSERT INTO ticks VALUES (1)');
    const name = await source.server.psql('SELECT pg_walfile_name(pg_current_wal_insert_lsn())');
    await ship();
    const identity = { scheme: undefined, file: undefined, described: '', repository: '' };
    const keyless = openWalArchive(
      source.store,
      { namespace: 'shop', policy: 'orders', systemIdentifier: source.systemIdentifier },
      { identity },
    );
    await expect(keyless.get(name, options())).rejects.toMatchObject({ reason: 'IdentityMissing' });
    const told = await archive.commitTimes(name, options());
    expect(told?.lastCommitTime).toBeInstanceOf(Date);
    expect(await keyless.commitTimes(name, options())).toEqual(told);
    const file = join(folder(), archive.path, '00000001', `${name}.zst`);
    const identityFile = join(setting.folders.mountRoot, mounts.repository.identity(0), identitySecret.key);
    const script = `age -d -i ${identityFile} ${file} | zstd -d`;
    const { stdout } = await execa('sh', ['-c', script], { encoding: 'buffer' });
    const { firstCommitTime, lastCommitTime } = readSegment(Buffer.from(stdout), name);
    expect(told).toEqual({ firstCommitTime, lastCommitTime });
  });

  it('that is swapped for another segment is found by the plan', async () => {
    const { manifest } = await backUp({ walMethod: 'Fetch' });
    await ship();
    await source.server.psql('INSERT INTO orders VALUES (-1, $$late$$)');
    await ship();
    const { firstSegment, lastSegment } = await planOf(source, { backupID: manifest.backupID }, from());
    expect(firstSegment).not.toBe(lastSegment);
    const fileOf = (name: string) => join(folder(), archive.path, '00000001', `${name}.zst`);
    const own = await readFile(fileOf(lastSegment));
    await writeFile(fileOf(lastSegment), await readFile(fileOf(firstSegment)));
    try {
      const refused = await refusalOf(source, { backupID: manifest.backupID }, from());
      expect(refused).toMatchObject({ reason: 'InvalidWal', message: expect.stringContaining(lastSegment) });
    } finally {
      await writeFile(fileOf(lastSegment), own);
    }
  });
});

describe('a recovery is refused before anything is touched', () => {
  let manifest: PhysicalManifest;
  let recovery: RecoveryPlan;
  beforeAll(async () => {
    await mountKeys(keys.identity);
    ({ manifest } = await backUp({ walMethod: 'Fetch' }));
    await ship();
    ({ recovery } = await planOf(source, { backupID: manifest.backupID }, from()));
  }, 60_000);

  it.each([
    ['WrongIdentity', async () => (await generateKeys()).identity],
    ['IdentityMissing', async () => undefined],
  ])('%s', async (reason, identity) => {
    await mountKeys(await identity());
    const planned = await refusalOf(source, { backupID: manifest.backupID }, from());
    const recovered = await recoverTo(recovery);
    for (const refused of [planned, recovered.failure]) {
      expect(refused).toMatchObject({ reason, message: expect.stringContaining('Secret age-identity') });
    }
    expect(recovered.failure?.message).toContain(manifest.backupID);
    expect(recovered.failure?.message).toContain(keys.recipient);
    await expect(access(dataDirectory)).rejects.toThrow();
  });

  it('where the identity fits the backup, and not the WAL after a change of recipients', async () => {
    const next = await generateKeys();
    const encryption = encryptionOf(repositoryFor(next).spec) as Encryption;
    const { systemIdentifier, store } = source;
    const location = { namespace: 'shop', policy: 'orders', systemIdentifier };
    await ship(openWalArchive(store, location, { encryption }));
    const { reason, message } = await refusalOf(source, { backupID: manifest.backupID }, from());
    expect(reason).toBe('WrongIdentity');
    expect(message).toContain(next.recipient);
    await mountKeys(`${next.identity}\n${keys.identity}`);
    const both = await planOf(source, { backupID: manifest.backupID }, from());
    expect(both.recovery.backupID).toBe(manifest.backupID);
  });
});
