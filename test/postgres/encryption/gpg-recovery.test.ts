import { access, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { Encryption } from '../../../src/domain/encryption.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { openEncryption } from '../../../src/repository/open-encryption.ts';
import { openWalArchive } from '../../../src/repository/wal-archive.ts';
import { encryptedWith } from '../../../src/stream/encrypt.ts';
import { closeKeyrings } from '../../../src/stream/gpg-keyring.ts';
import { createSetting, type Setting, volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask } from '../physical/physical-setting.ts';
import { recover, startAndAsk } from '../recover/recovery.ts';
import { createSource, type Source, taskFor } from '../recover/source.ts';
import { planOf, refusalOf } from '../recover-plan/plan-of.ts';
import { forGpg, type GpgKey, generateGpgKey, gpgAgents, mountGpgKeys } from './gpg-keys.ts';

const marker = 'the-marker-that-nobody-may-read';
const rows = "SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM orders";

let source: Source;
let setting: Setting;
let key: GpgKey;
let repository: RepositoryTask;
let dataDirectory: string;

const from = () => ({ source: { repository, namespace: 'shop', policy: 'orders' } });
const options = () => ({ signal: AbortSignal.timeout(120_000) });

/** The server's account reads what was written here. */
async function handOver(): Promise<void> {
  const { account, mountRoot } = source;
  await execa('chown', ['-R', `${account.uid}:${account.gid}`, mountRoot]);
}

async function mountKeys(keys: Parameters<typeof mountGpgKeys>[1]): Promise<void> {
  await mountGpgKeys(setting, keys);
  await handOver();
}

/** Ends a segment, and archives what the server has brought as the sidecar does. */
async function ship(): Promise<void> {
  const { server, archived, store, systemIdentifier, mountRoot } = source;
  const encryption = (await openEncryption(repository, 0, { mountRoot })) as Encryption;
  const location = { namespace: 'shop', policy: 'orders', systemIdentifier };
  const archive = openWalArchive(store, location, { encryption, compression: { algorithm: 'gzip' } });
  await server.psql('SELECT pg_logical_emit_message(true, $$$$, $$end$$)');
  const name = await server.psql('SELECT pg_walfile_name(pg_current_wal_insert_lsn())');
  await server.psql('SELECT pg_switch_wal()');
  await vi.waitFor(async () => expect(await readdir(archived)).toContain(name), { timeout: 120_000 });
  for (const file of (await readdir(archived)).sort()) {
    if (!file.startsWith('.')) await archive.put(file, await readFile(join(archived, file)), options());
  }
  await execa('find', [archived, '-type', 'f', '-delete']);
  await handOver();
}

beforeAll(async () => {
  [source, key] = await Promise.all([createSource(), generateGpgKey()]);
  dataDirectory = join(source.root, 'recovered');
  const plain = await createSetting(source.server);
  setting = { ...plain, folders: { ...plain.folders, mountRoot: source.mountRoot } };
  repository = forGpg(volumeRepository, [key.fingerprint]);
  await source.server.psql(
    `CREATE TABLE orders AS SELECT id, '${marker}' || sha256(id::text::bytea)::text AS note FROM generate_series(1, 100000) id`,
  );
}, 60_000);

afterEach(async () => {
  if (dataDirectory !== undefined) await rm(dataDirectory, { recursive: true, force: true });
});

afterAll(async () => {
  closeKeyrings();
  await setting?.remove();
  await source?.remove();
});

it.each([
  ['in chunks, with its own WAL', { compress: 'Client', walMethod: 'Stream' }],
  ['packed by the server', { compress: 'Server', walMethod: 'Fetch' }],
])(
  'a backup %s and WAL, encrypted by gpg, become a server again, with the private key alone',
  async (_, physical) => {
    const { server, store, mountRoot, archive } = source;
    await mountKeys({ publicKeys: key.publicKey });
    const { error, reporter } = await backUpPhysically(
      setting,
      physicalTask(server, physical, { repositories: [repository] }),
    );
    if (error !== undefined) throw error;
    await handOver();
    const { manifest, path } = await physicalManifestOf(store, reporter.status);
    expect(manifest.encryption).toEqual({ scheme: 'gpg', recipients: [key.fingerprint] });
    await server.psql(`INSERT INTO orders SELECT 1000000 + id, '${marker}' FROM generate_series(1, 1000) id`);
    const expected = await server.psql(rows);
    await ship();
    const folder = join(mountRoot, mounts.repository.volume(0), 'tidemark');
    for (const place of [path, `${archive.path}/00000001`]) {
      const stored = await readdir(join(folder, place), { recursive: true, withFileTypes: true });
      for (const entry of stored) {
        if (!entry.isFile() || /^(manifest|started)\.json$/.test(entry.name)) continue;
        const bytes = await readFile(join(entry.parentPath, entry.name));
        expect(encryptedWith(bytes), entry.name).toBe('gpg');
        expect(bytes.includes(marker), entry.name).toBe(false);
      }
    }
    const stranger = await generateGpgKey();
    await mountKeys({ privateKeys: stranger.privateKey });
    const refused = await refusalOf(source, { backupID: manifest.backupID }, from());
    expect(refused).toMatchObject({ reason: 'WrongIdentity', message: expect.stringContaining(key.fingerprint) });
    await expect(access(dataDirectory)).rejects.toThrow();
    await mountKeys({ privateKeys: key.privateKey });
    const { recovery } = await planOf(source, { backupID: manifest.backupID }, from());
    const found = await recover(source, taskFor(recovery, {}, dataDirectory, from()));
    expect(found.failure, found.log + found.agentLog).toBeUndefined();
    expect(await startAndAsk(source, dataDirectory, rows)).toBe(expected);
    // Those of this process stay as long as it does; the agent's were of the server's account.
    await expect
      .poll(async () => (await gpgAgents()).filter((line) => line.trim().startsWith(`${source.account.uid} `)))
      .toEqual([]);
  },
  90_000,
);
