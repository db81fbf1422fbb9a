import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveWal } from '../../../src/agent/recover/run/serve-wal.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { segmentNameAt } from '../../../src/domain/wal/file-name.ts';
import { parseLsn } from '../../../src/domain/wal/lsn.ts';
import { checkSegment, readSegment } from '../../../src/domain/wal/read-segment.ts';
import { openStore } from '../../../src/repository/open.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import { startS3Server } from '../../support/s3/server.ts';
import {
  archiveTask,
  exists,
  makeSetting,
  type Setting,
  s3Repository,
  startSidecar,
  until,
  volumeRepository,
} from '../../support/wal/sidecar.ts';
import { type SmallServer, startServerOf } from '../../support/wal/small-segments.ts';

/** Segments whose stored form is larger than what a store gives at once, as `initdb --wal-segsize=128` makes them. */
const megabytes = 128;
const segmentSize = megabytes * 1024 ** 2;
const signal = AbortSignal.timeout(110_000);
const endings: (() => Promise<unknown>)[] = [];
let setting: Setting;
let server: SmallServer;
let name: string;
let written: Buffer;
let archives: readonly WalArchive[];

beforeAll(async () => {
  setting = await makeSetting();
  endings.push(setting.remove);
  const s3 = await startS3Server();
  endings.push(s3.stop);
  await s3.createBucket('backups');
  const credentials = setting.root + mounts.repository.credentials(1);
  await mkdir(credentials, { recursive: true });
  await writeFile(join(credentials, 'AWS_ACCESS_KEY_ID'), s3.accessKey);
  await writeFile(join(credentials, 'AWS_SECRET_ACCESS_KEY'), s3.secretKey);
  const repositories = [volumeRepository, s3Repository(s3, 'backups')];
  const sidecar = startSidecar(setting, archiveTask({ repositories }));
  endings.push(sidecar.stop);
  server = await startServerOf(megabytes, {
    archive_mode: 'on',
    archive_command: setting.command,
    checkpoint_timeout: '1h',
  });
  endings.push(server.stop);
  name = await fillSegment();
  written = await readFile(join(server.dataFolder, 'pg_wal', name));
  const done = join(server.dataFolder, 'pg_wal/archive_status', `${name}.done`);
  await until('the segment is archived', () => exists(done));
  const { systemIdentifier } = checkSegment(written, name);
  archives = await Promise.all(
    repositories.map(async (repository, index) => {
      const store = await openStore(repository, index, { mountRoot: setting.root });
      endings.push(() => store.close());
      return openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier });
    }),
  );
});

afterAll(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function both() {
  const [inVolume, inS3] = archives;
  if (inVolume === undefined || inS3 === undefined) throw new Error('there is no archive');
  return { inVolume, inS3 };
}

/** WAL that nothing can make small: random bytes, and a commit after them. */
async function fillSegment(): Promise<string> {
  const file = join(setting.root, 'random');
  await writeFile(file, randomBytes(70 * 1024 ** 2));
  await chmod(file, 0o644);
  await server.psql('SELECT pg_switch_wal()');
  await server.psql(`SELECT pg_logical_emit_message(false, 'test', pg_read_binary_file('${file}'))`);
  await server.psql('CREATE TABLE after_all ()');
  return await server
    .psql('SELECT pg_walfile_name(pg_current_wal_insert_lsn()); SELECT pg_switch_wal()')
    .then((answers) => answers.split('\n')[0] ?? '');
}

test('is stored, and read back as it was', async () => {
  expect(written).toHaveLength(segmentSize);
  for (const archive of archives) {
    const listed = (await Array.fromAsync(archive.list(1, { signal }))).find((file) => file.name === name);
    expect(listed?.storedSize).toBeGreaterThan(64 * 1024 ** 2);
  }
  const { inVolume } = both();
  const content = await inVolume.get(name, { signal });
  expect(content?.equals(written)).toBe(true);
  expect(readSegment(content ?? Buffer.alloc(0), name).commits).toBeGreaterThan(0);
});

test('is never overwritten, and the same is there already', async () => {
  const other = Buffer.from(written);
  other.writeUInt8(other.readUInt8(segmentSize - 1) ^ 1, segmentSize - 1);
  const { inVolume, inS3 } = both();
  expect(await inS3.put(name, written, { signal })).toBe('AlreadyThere');
  await expect(inVolume.put(name, other, { signal })).rejects.toMatchObject({ reason: 'WalConflict' });
});

test('comes to a server that replays', async () => {
  const folder = join(setting.root, 'serve');
  await mkdir(folder);
  const end = parseLsn(await server.psql('SELECT pg_current_wal_lsn()'));
  const begin = readSegment(written, name).begin;
  expect(segmentNameAt(1, begin, segmentSize)).toBe(name);
  const service = await serveWal({
    folder,
    source: both().inS3,
    range: { begin, end, timeline: 1, ancestors: [], segmentSize },
    until: begin + BigInt(segmentSize),
    systemIdentifier: checkSegment(written, name).systemIdentifier,
    local: new Set(),
    patience: 1000,
    log: pino({ enabled: false }),
    signal,
  });
  try {
    await writeFile(join(folder, 'want', name), '');
    const given = join(folder, 'have', name);
    await until('the segment is given', async () => service.failure() !== undefined || (await exists(given)));
    expect(service.failure()).toBeUndefined();
    expect((await stat(given)).size).toBe(segmentSize);
    expect((await readFile(given)).equals(written)).toBe(true);
  } finally {
    await service.stop();
  }
});

test('that is damaged is not taken for WAL', async () => {
  const { inVolume } = both();
  const path = join(setting.volume, inVolume.path, '00000001', `${name}.zst`);
  const stored = await readFile(path);
  stored.writeUInt8(stored.readUInt8(stored.length >> 1) ^ 1, stored.length >> 1);
  await writeFile(path, stored);
  await expect(inVolume.get(name, { signal })).rejects.toMatchObject({ reason: 'ChecksumMismatch' });
  await writeFile(path, stored.subarray(0, 70 * 1024 ** 2));
  await expect(inVolume.get(name, { signal })).rejects.toMatchObject({ reason: 'ChecksumMismatch' });
});
