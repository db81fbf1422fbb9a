import { access, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDestinations } from '../../../src/agent/archive/destinations.ts';
import { openArchives } from '../../../src/agent/watch-wal/archives.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { openWalArchive } from '../../../src/repository/wal-archive.ts';
import type { Compression } from '../../../src/stream/compress.ts';
import { packedWith } from '../../../src/stream/packed-with.ts';
import { createSetting, type Setting, volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask } from '../physical/physical-setting.ts';
import { recover, startAndAsk } from '../recover/recovery.ts';
import { createSource, type Source, taskFor } from '../recover/source.ts';
import { planOf } from '../recover-plan/plan-of.ts';

let source: Source;
let setting: Setting;
let dataDirectory: string;

const options = () => ({ signal: AbortSignal.timeout(120_000) });
const rows = "SELECT count(*), md5(string_agg(note, '' ORDER BY id)) FROM orders";
const algorithms = ['gzip', 'lz4', 'none', 'zstd'] as const;
const from = { source: { repository: volumeRepository, namespace: 'shop', policy: 'orders' } };
const location = () => ({ namespace: 'shop', policy: 'orders', systemIdentifier: source.systemIdentifier });
const repositoryFolder = () => join(source.mountRoot, mounts.repository.volume(0), 'tidemark');

async function handOver(): Promise<void> {
  const { account, mountRoot } = source;
  await execa('chown', ['-R', `${account.uid}:${account.gid}`, mountRoot]);
}

async function backUp(
  physical: object,
  compression: Compression,
): Promise<{ readonly manifest: PhysicalManifest; readonly path: string }> {
  const task = { ...physicalTask(source.server, physical), compression };
  const { error, reporter } = await backUpPhysically(setting, task);
  if (error !== undefined) throw error;
  await handOver();
  return physicalManifestOf(source.store, reporter.status);
}

/** Ends a segment, and archives with this packing what the server has brought; gives the segment's name. */
async function ship(compression: Compression): Promise<string> {
  const { server, store, archived } = source;
  await server.psql('SELECT pg_logical_emit_message(true, $$$$, $$end$$)');
  const name = await server.psql('SELECT pg_walfile_name(pg_current_wal_insert_lsn())');
  await server.psql('SELECT pg_switch_wal()');
  await vi.waitFor(async () => expect(await readdir(archived)).toContain(name), { timeout: 120_000 });
  const archive = openWalArchive(store, location(), { compression });
  for (const file of (await readdir(archived)).sort()) {
    if (!file.startsWith('.')) await archive.put(file, await readFile(join(archived, file)), options());
  }
  await handOver();
  return name;
}

const walFile = (name: string) => join(repositoryFolder(), source.archive.path, '00000001', `${name}.zst`);

async function recoverWhole(backupID: string) {
  const { recovery } = await planOf(source, { backupID }, from);
  return recover(source, taskFor(recovery, {}, dataDirectory, from));
}

beforeAll(async () => {
  source = await createSource();
  dataDirectory = join(source.root, 'recovered');
  const plain = await createSetting(source.server);
  setting = { ...plain, folders: { ...plain.folders, mountRoot: source.mountRoot } };
  await source.server.psql(
    'CREATE TABLE orders AS SELECT id, sha256(id::text::bytea)::text AS note FROM generate_series(1, 100000) id',
  );
}, 60_000);

afterEach(async () => {
  if (dataDirectory !== undefined) await rm(dataDirectory, { recursive: true, force: true });
});

afterAll(async () => {
  await setting?.remove();
  await source?.remove();
});

it.each([
  ['gzip', '.gz', 'Stream'],
  ['lz4', '.lz4', 'Stream'],
  ['lz4', '.lz4', 'Fetch'],
] as const)(
  'a base backup packed with %s comes back with every row (%s, WAL by %s)',
  async (algorithm, ending, walMethod) => {
    const { manifest, path } = await backUp({ walMethod, compress: 'Server' }, { algorithm });
    const { physical } = manifest;
    expect(manifest.compression).toEqual({ algorithm });
    expect(physical.packing).toEqual({
      by: 'Client',
      because: expect.stringContaining(`compression.algorithm: ${algorithm}`),
    });
    for (const object of [...physical.chunks, physical.backupManifest, ...physical.wal]) {
      expect(object.path.endsWith(ending), object.path).toBe(true);
      await execa(algorithm, ['-t', join(repositoryFolder(), path, object.path)]);
    }
    expect(physical.wal.length > 0).toBe(walMethod === 'Stream');
    const expected = await source.server.psql(rows);
    await ship({ algorithm: 'zstd' });
    const found = await recoverWhole(manifest.backupID);
    expect(found.failure, found.log + found.agentLog).toBeUndefined();
    expect(await startAndAsk(source, dataDirectory, rows)).toBe(expected);
  },
);

describe('an archive whose policy has changed its compressor again and again', () => {
  let manifest: PhysicalManifest;
  let expected: string;
  const segments = new Map<string, string>();
  beforeAll(async () => {
    ({ manifest } = await backUp({ walMethod: 'Fetch' }, { algorithm: 'gzip', level: 1 }));
    for (const algorithm of algorithms) {
      // Much that cannot be packed: what a flipped bit means in a run of zeros may be the same run.
      await source.server.psql(
        `INSERT INTO orders SELECT id, '${algorithm}' || sha256(id::text::bytea)::text FROM generate_series(1, 10000) id`,
      );
      segments.set(algorithm, await ship({ algorithm }));
    }
    expected = await source.server.psql(rows);
  }, 60_000);

  it('holds each segment once, under one name, which zstd alone unpacks', async () => {
    for (const [algorithm, name] of segments) {
      const stored = await readFile(walFile(name));
      expect(packedWith(stored)).toBe(algorithm === 'none' ? 'gzip' : algorithm);
      const { stdout } = await execa('zstd', ['-q', '-d', '-c', walFile(name)], { encoding: 'buffer' });
      expect(Buffer.from(stdout).equals(await readFile(join(source.archived, name)))).toBe(true);
      // Of any other packing it is the same file, and another file is a conflict.
      for (const other of algorithms) {
        const archive = openWalArchive(source.store, location(), { compression: { algorithm: other } });
        const content = await readFile(join(source.archived, name));
        expect(await archive.put(name, content, options())).toBe('AlreadyThere');
        content.writeUInt8(content.readUInt8(9000) ^ 1, 9000);
        await expect(archive.put(name, content, options())).rejects.toMatchObject({ reason: 'WalConflict' });
      }
      expect((await readFile(walFile(name))).equals(stored)).toBe(true);
    }
  });

  it('is recovered through to its end', async () => {
    const found = await recoverWhole(manifest.backupID);
    expect(found.failure, found.log + found.agentLog).toBeUndefined();
    expect(await startAndAsk(source, dataDirectory, rows)).toBe(expected);
  });

  describe.each(algorithms)('with a segment packed as %s', (algorithm) => {
    let name: string;
    let whole: Buffer;
    beforeEach(async () => {
      name = segments.get(algorithm) ?? '';
      whole = await readFile(walFile(name));
    });
    afterEach(() => writeFile(walFile(name), whole));

    it.each<[string, () => Buffer]>([
      ['damaged', () => Buffer.from(whole.map((byte, at) => (at === whole.length >> 1 ? byte ^ 1 : byte)))],
      ['cut short', () => whole.subarray(0, -1)],
      ['followed by something', () => Buffer.concat([whole, Buffer.from('and more')])],
      ['packed with nothing', () => Buffer.from('a text')],
    ])('%s: it is not given out', async (_, change) => {
      await writeFile(walFile(name), change());
      // Not the content, which would be printed.
      const got = source.archive.get(name, options()).then((content) => content?.length);
      await expect(got).rejects.toMatchObject({ reason: 'ChecksumMismatch', message: expect.stringContaining(name) });
    });
  });

  it('cut short in its middle, nothing is promoted with data missing', async () => {
    const name = segments.get('lz4') ?? '';
    const whole = await readFile(walFile(name));
    const { recovery } = await planOf(source, { backupID: manifest.backupID }, from);
    await writeFile(walFile(name), whole.subarray(0, -100));
    try {
      const { failure } = await recover(source, taskFor(recovery, {}, dataDirectory, from));
      expect(failure?.message).toContain(name);
      await expect(access(join(dataDirectory, 'PG_VERSION'))).rejects.toThrow();
    } finally {
      await writeFile(walFile(name), whole);
    }
  });
});

it.each(algorithms)('the sidecar and the receiver pack as the policy says: %s', async (algorithm) => {
  const { mountRoot } = source;
  const task = {
    namespace: 'shop',
    policy: { name: 'elsewhere', uid: 'uid' },
    repositories: [volumeRepository],
    maxParallel: 2,
    compression: { algorithm },
  };
  const destinations = openDestinations({ action: 'archive', ...task }, mountRoot);
  const archives = await openArchives(task as never, '1', mountRoot);
  try {
    const number = algorithms.indexOf(algorithm);
    const [sent, received] = [`00000001000000000000000${number}`, `00000001000000010000000${number}`];
    await destinations.store({ name: sent, content: Buffer.alloc(5000), systemIdentifier: '1' }, new Set(), options());
    for (const { archive } of archives) await archive.put(received, Buffer.alloc(5000), options());
    const [folder] = archives.map(({ archive }) => join(repositoryFolder(), archive.path, '00000001'));
    for (const name of [sent, received]) {
      const stored = await readFile(join(folder ?? '', `${name}.zst`));
      expect(packedWith(stored)).toBe(algorithm === 'none' ? 'gzip' : algorithm);
    }
  } finally {
    await destinations.close();
    for (const { archive } of archives) await archive.store.close();
  }
});
