import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { baseBytes } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { Store } from '../../../src/repository/store.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { createSetting, openRepository, type Setting, volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask, settings } from './physical-setting.ts';
import { startRestored } from './restored-server.ts';

let server: TestServer;
let setting: Setting;
let store: Store;

const rows = 'SELECT count(*), sum(id), md5(string_agg(body, $$$$ ORDER BY id)) FROM orders';
const elsewhere = 'SELECT count(*), sum(id) FROM elsewhere';

beforeAll(async () => {
  server = await startPostgres({ settings });
  setting = await createSetting(server);
  store = await openRepository(setting, volumeRepository);
  const place = join(dirname(server.dataFolder), 'elsewhere');
  await mkdir(place);
  await execa('chown', ['--reference', server.dataFolder, place]);
  // What cannot be packed: a stream of several parts.
  await server.psql(
    "CREATE TABLE orders AS SELECT id, encode(sha256(id::text::bytea), 'base64') AS body FROM generate_series(1, 500000) id",
  );
  await server.psql(`CREATE TABLESPACE elsewhere LOCATION '${place}'`);
  await server.psql('CREATE TABLE elsewhere TABLESPACE elsewhere AS SELECT id FROM generate_series(1, 1000) id');
});

afterAll(async () => {
  await store?.close();
  await server?.stop();
  await setting?.remove();
});

async function backUp(physical: object, options: object = {}) {
  const task = physicalTask(server, { compress: 'Server', walMethod: 'Fetch', ...physical }, options);
  const { outcome, error, reporter } = await backUpPhysically(setting, task);
  if (error !== undefined) throw error;
  return { outcome, reporter, ...(await physicalManifestOf(store, reporter.status)) };
}

it.each(['Fetch', 'Stream'])(
  'a backup that the server packed, with its WAL by %s, starts as a server with every row, also of a tablespace',
  async (walMethod) => {
    const expected = [await server.psql(rows), await server.psql(elsewhere)];
    const { outcome, manifest, path } = await backUp({ walMethod });
    expect(outcome?.message).toContain('the server packed it');
    const { physical } = manifest;
    expect(manifest.format).toBe(2);
    expect(physical.packing).toEqual({ by: 'Server' });
    expect(physical.chunks).toEqual([]);
    expect(physical.streams?.map(({ tablespace }) => tablespace === undefined).toSorted()).toEqual([false, true]);
    const data = physical.streams?.find(({ tablespace }) => tablespace === undefined);
    expect(data?.parts.length).toBeGreaterThan(2);
    const restored = await startRestored(server, store, { manifest, path });
    try {
      expect([await restored.psql(rows), await restored.psql(elsewhere)]).toEqual(expected);
    } finally {
      await restored.stop();
    }
  },
);

it('what it says of sizes and the owner is what lies there', async () => {
  const { manifest, path, reporter } = await backUp({});
  const { physical, size } = manifest;
  const folder = join(setting.folders.mountRoot, mounts.repository.volume(0), 'tidemark', path);
  for (const { tablespace, bytes, parts } of physical.streams ?? []) {
    const files = parts.map((part) => join(folder, part.path));
    const { stdout } = await execa('sh', ['-c', 'set -e; cat "$@" | zstd -d | wc -c', 'sh', ...files]);
    expect([tablespace, bytes]).toEqual([tablespace, Number(stdout)]);
  }
  expect(size.source).toBe(baseBytes(physical));
  expect(physical.owner.uid).toBe(Number((await execa('stat', ['-c', '%u', server.dataFolder])).stdout));
  expect(reporter.status.progress).toMatchObject({ bytesDone: String(size.source), percent: 100 });
});

it('a person restores it with cat, zstd and tar', async () => {
  const { path, manifest } = await backUp({});
  const base = join(setting.folders.mountRoot, mounts.repository.volume(0), 'tidemark', path, 'base');
  const root = await mkdtemp(join(await runFolder(), 'by-hand-'));
  try {
    const script = `
      mkdir -m 700 "$1/data"
      cat data.tar.zst.* | zstd -d | tar -x -C "$1/data"
      for oid in $2; do
        mkdir -m 700 "$1/$oid"
        cat "$oid".tar.zst.* | zstd -d | tar -x -C "$1/$oid"
        ln -s "$1/$oid" "$1/data/pg_tblspc/$oid"
      done
      zstd -q -d backup_manifest.zst -o "$1/data/backup_manifest"`;
    const oids = manifest.physical.tablespaces.map(({ oid }) => oid).join(' ');
    await execa('sh', ['-e', '-c', script, 'sh', root, oids], { cwd: base });
    await execa(join(server.bin, 'pg_verifybackup'), ['--no-parse-wal', join(root, 'data')]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

it('with compression none nobody packs, and the chunks are plain', async () => {
  const { manifest, outcome } = await backUp({}, { compression: { algorithm: 'none' } });
  expect(manifest).toMatchObject({
    format: 1,
    compression: { algorithm: 'none' },
    physical: { packing: { by: 'Client' } },
  });
  expect(manifest.physical.chunks.every(({ path }) => path.endsWith('.tar'))).toBe(true);
  expect(outcome?.message).not.toContain('packed');
});

it('a server that refuses to pack leaves it to the agent, which is said where one looks', async () => {
  // No server takes the level 99, and refuses it as one without zstd refuses zstd. The agent is asked for another.
  const levels = [99];
  const compression = {
    algorithm: 'zstd' as const,
    get level() {
      return levels.shift() ?? 1;
    },
  };
  const task = physicalTask(server, { compress: 'Server', walMethod: 'Fetch' });
  const warnings: string[] = [];
  const { error, outcome, reporter } = await backUpPhysically(
    setting,
    { ...task, compression },
    {
      log: {
        info: () => undefined,
        warn: (_: unknown, message?: string) => void warnings.push(message ?? ''),
        error: () => undefined,
      },
    },
  );
  if (error !== undefined) throw error;
  expect(warnings).toContain('physical.compress is Server, but the agent packs the backup');
  expect(outcome?.message).toContain('the agent packed it, because the server refused');
  const backup = await physicalManifestOf(store, reporter.status);
  expect(backup.manifest).toMatchObject({
    format: 1,
    physical: { packing: { by: 'Client', because: expect.stringContaining('refused') } },
  });
  expect(backup.manifest.physical.chunks.length).toBeGreaterThan(1);
});

it('an abort in the middle of a packed stream leaves nothing behind', async () => {
  const stopping = new AbortController();
  const task = physicalTask(server, { compress: 'Server', walMethod: 'Fetch', maxRate: '1M' });
  const before = await keys();
  const { error } = await backUpPhysically(setting, task, {
    signal: stopping.signal,
    log: {
      info: (_: unknown, message?: string) => {
        if (message === 'the base backup begins') stopping.abort(new Error('enough'));
      },
      warn: () => undefined,
      error: () => undefined,
    },
  });
  expect(error).toMatchObject({ message: 'enough' });
  expect(await keys()).toEqual(before);
});

async function keys(): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { key } of store.list('', { signal: AbortSignal.timeout(120_000) })) found.push(key);
  return found;
}
