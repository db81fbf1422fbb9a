import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultTimings } from '../../../src/agent/archive/dispatch.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { errorBody, type FaultyServer, startFaultyServer } from '../../support/s3/faulty-server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { testSystem, writeSegment } from '../../support/wal/segment.ts';
import {
  archivedFiles,
  archiveTask,
  bring,
  exists,
  makeSetting,
  type Setting,
  type Sidecar,
  s3Repository,
  startSidecar,
  until,
  volumeRepository,
} from '../../support/wal/sidecar.ts';
import { startSmallServer } from '../../support/wal/small-segments.ts';

const first = '000000010000000000000001';
let setting: Setting;
const endings: (() => Promise<void>)[] = [];

beforeEach(async () => {
  setting = await makeSetting();
});

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await setting.remove();
});

async function credentials(index: number, s3: Pick<S3Server, 'accessKey' | 'secretKey'>): Promise<void> {
  const folder = setting.root + mounts.repository.credentials(index);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'AWS_ACCESS_KEY_ID'), s3.accessKey);
  await writeFile(join(folder, 'AWS_SECRET_ACCESS_KEY'), s3.secretKey);
}

function started(sidecar: Sidecar): Sidecar {
  endings.push(sidecar.stop);
  return sidecar;
}

test('a server’s WAL goes to an S3 store and to a volume, the same to both', async () => {
  const s3 = await startS3Server();
  endings.push(s3.stop);
  await s3.createBucket('backups');
  await credentials(1, s3);
  const sidecar = started(
    startSidecar(setting, archiveTask({ repositories: [volumeRepository, s3Repository(s3, 'backups')] })),
  );
  const server = await startSmallServer({ archive_mode: 'on', archive_command: setting.command });
  endings.push(server.stop);
  await server.psql('CREATE TABLE t AS SELECT repeat(md5(i::text), 60) AS body FROM generate_series(1, 8000) i');
  await server.psql("SELECT pg_backup_start('label', true); SELECT pg_backup_stop(false)");
  await server.psql('SELECT pg_switch_wal()');
  await until('nothing waits any more', async () => {
    const names = await readdir(join(server.dataFolder, 'pg_wal/archive_status'));
    return !names.some((name) => name.endsWith('.ready'));
  });
  const [inVolume, inS3] = await Promise.all([setting.volume, join(s3.folder, 'backups')].map(archivedFiles));
  expect(inVolume?.size).toBeGreaterThan(15);
  expect([...(inVolume?.keys() ?? [])].some((name) => name.endsWith('.backup'))).toBe(true);
  for (const [name, content] of inVolume ?? []) expect(inS3?.get(name)?.equals(content), name).toBe(true);
  expect(inS3?.size).toBe(inVolume?.size);
  expect(sidecar.said.filter(({ level }) => level !== 'info')).toEqual([]);
});

test('WAL of another server than the policy’s is refused in the server’s own log', async () => {
  const sidecar = started(startSidecar(setting, archiveTask({ systemIdentifier: '7000000000000000001' })));
  const server = await startSmallServer({ archive_mode: 'on', archive_command: setting.command });
  endings.push(server.stop);
  await server.psql('CREATE TABLE t (); SELECT pg_switch_wal()');
  await until(
    'it has failed',
    async () => (await server.psql('SELECT failed_count > 0 FROM pg_stat_archiver')) === 't',
  );
  expect(await server.psql('SELECT archived_count FROM pg_stat_archiver')).toBe('0');
  expect(await server.log()).toContain('not by 7000000000000000001, whose WAL is archived here');
  expect((await archivedFiles(setting.volume)).size).toBe(0);
  expect(sidecar.said.filter(({ reason }) => reason === 'ForeignWal')).toHaveLength(1);
});

interface Scripted {
  readonly s3: FaultyServer;
  readonly stored: Map<string, Buffer>;
  fail: boolean;
}

/** As much of a store as an archive needs, that answers every PUT with a fault while it is told to. */
async function startScripted(fault: () => ReturnType<Parameters<typeof startFaultyServer>[0]>): Promise<Scripted> {
  const stored = new Map<string, Buffer>();
  const state = { fail: true };
  const s3 = await startFaultyServer(({ method, path, query, body }) => {
    if (method === 'GET' && query.has('list-type'))
      return { status: 200, body: '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>' };
    const present = stored.get(path);
    if (method === 'PUT') {
      if (state.fail) return fault();
      stored.set(path, body);
      return { status: 200, headers: { etag: '"x"' } };
    }
    if (present === undefined) return { status: 404, ...(method === 'GET' ? { body: errorBody('NoSuchKey') } : {}) };
    return {
      status: 200,
      headers: { 'content-length': String(present.length) },
      ...(method === 'GET' ? { body: present } : {}),
    };
  });
  endings.push(s3.stop);
  await credentials(0, { accessKey: 'key', secretKey: 'secret' });
  return {
    s3,
    stored,
    get fail() {
      return state.fail;
    },
    set fail(value) {
      state.fail = value;
    },
  };
}

test.each([
  ['refuses the credentials', () => ({ status: 403, body: errorBody('AccessDenied') }), 'may not do this'],
  ['breaks the connection', () => ({ fault: 'reset' }) as const, 'is not stored yet'],
  ['is overloaded', () => ({ status: 503, body: errorBody('SlowDown') }), 'is not stored yet'],
])('while the store %s the server is told, and the file is stored afterwards', async (_, fault, told) => {
  const scripted = await startScripted(fault);
  const timings = { ...defaultTimings, tell: 1000, longestPause: 500 };
  const task = archiveTask({ repositories: [s3Repository(scripted.s3, 'backups')] });
  started(startSidecar(setting, task, timings));
  await until('the script is there', () => exists(join(setting.spool, 'archive.sh')));
  const put = () => bring(setting, first, writeSegment({ name: first }).content);
  await put();
  await until('the server is told', () => exists(join(setting.spool, 'failed', first)));
  const said = await readFile(join(setting.spool, 'failed', first), 'utf8');
  expect(said).toContain(told);
  expect(await exists(join(setting.spool, 'done', first))).toBe(false);
  scripted.fail = false;
  await put();
  await until('it is done', () => exists(join(setting.spool, 'done', first)));
  expect([...scripted.stored.keys()]).toEqual([`/backups/p/shop/orders/${testSystem}/wal/00000001/${first}.zst`]);
});
