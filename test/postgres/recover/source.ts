import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import type { RecoveryPlan, RecoveryTarget } from '../../../src/api/pitr-recovery.ts';
import { backupPath } from '../../../src/domain/layout.ts';
import type { Chunk, PhysicalManifest, StoredObject } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RecoverTask } from '../../../src/domain/task.ts';
import { segmentNameAt, segmentNameBefore } from '../../../src/domain/wal/file-name.ts';
import { parseLsn } from '../../../src/domain/wal/lsn.ts';
import { commitBackup } from '../../../src/repository/backups.ts';
import { openStore } from '../../../src/repository/open.ts';
import type { Store } from '../../../src/repository/store.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import { type Account, serverAccount } from '../../support/postgres/account.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';

const signal = () => AbortSignal.timeout(120_000);
const segmentSize = 16 * 1024 ** 2;
const repository = { name: 'local-disk', spec: backupRepositorySpec.parse({ volume: { claimName: 'backups' } }) };
const owner = { namespace: 'shop', policy: 'orders' };

/** A server that archives, and a repository that its backups and its WAL go into. */
export interface Source {
  readonly server: TestServer;
  readonly store: Store;
  readonly archive: WalArchive;
  /** Everything of this source; the server's account may write here. */
  readonly root: string;
  readonly mountRoot: string;
  readonly account: Account;
  readonly systemIdentifier: string;
  /** Brings what the server has archived until now into the repository, ending a segment first. */
  readonly ship: () => Promise<string>;
  /** Where archive_command puts what ship() takes. */
  readonly archived: string;
  /** Brings what lies there into the repository as it is. */
  readonly shipArchived: () => Promise<void>;
  readonly backUp: (options?: BackupOptions) => Promise<PhysicalManifest>;
  readonly remove: () => Promise<void>;
}

export interface BackupOptions {
  readonly chunks?: number;
  readonly walMethod?: PhysicalManifest['physical']['walMethod'];
  /** Said in the manifest in place of what the server has. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Pages are copied as they are, whatever their checksums. */
  readonly unverified?: boolean;
  /** Changes the files before they are stored, behind the back of the list that goes with them. */
  readonly alter?: (folder: string) => Promise<void>;
}

export async function createSource(
  settings: Readonly<Record<string, string>> = {},
  { major = 15, dataChecksums = false }: { readonly major?: number; readonly dataChecksums?: boolean } = {},
): Promise<Source> {
  const account = await serverAccount();
  const root = await mkdtemp(join(await runFolder(), 'recover-'));
  const own = async (name: string) => {
    await mkdir(join(root, name), { recursive: true });
    await execa('chown', ['-R', `${account.uid}:${account.gid}`, root]);
    return join(root, name);
  };
  await chmod(root, 0o755);
  const archived = await own('archived');
  const mountRoot = await own('mounts');
  await own(join('mounts', mounts.repository.volume(0)));
  const server = await startPostgres({
    major,
    dataChecksums,
    settings: {
      wal_level: 'replica',
      full_page_writes: 'on',
      archive_mode: 'on',
      archive_command: `cp %p ${archived}/.%f.tmp && mv ${archived}/.%f.tmp ${archived}/%f`,
      max_wal_senders: '4',
      max_wal_size: '256MB',
      ...settings,
    },
  });
  const systemIdentifier = await server.psql('SELECT system_identifier FROM pg_control_system()');
  const store = await openStore(repository, 0, { mountRoot });
  const archive = openWalArchive(store, { ...owner, systemIdentifier });
  const own2 = () => execa('chown', ['-R', `${account.uid}:${account.gid}`, mountRoot]);
  const shipArchived = async () => {
    for (const name of (await readdir(archived)).sort()) {
      if (!name.startsWith('.')) await archive.put(name, await readFile(join(archived, name)), { signal: signal() });
    }
    await own2();
  };
  return {
    server,
    archived,
    shipArchived,
    store,
    archive,
    root,
    mountRoot,
    account,
    systemIdentifier,
    ship: async () => {
      const end = await endSegment(server, archived);
      await shipArchived();
      return end;
    },
    backUp: async (options = {}) => {
      const manifest = await backUp({ server, store, root, systemIdentifier }, options);
      await own2();
      return manifest;
    },
    remove: async () => {
      await server.stop();
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Gives the LSN where the archive ends: all of it is in the folder then. */
async function endSegment(server: TestServer, archived: string): Promise<string> {
  const [switched = ''] = (
    await server.psql('SELECT pg_logical_emit_message(true, $$$$, $$end$$); SELECT pg_switch_wal()')
  )
    .split('\n')
    .slice(-1);
  const timeline = Number(await server.psql('SELECT timeline_id FROM pg_control_checkpoint()'));
  const name = segmentNameBefore(timeline, parseLsn(switched), segmentSize);
  for (const begun = Date.now(); !(await readdir(archived)).includes(name); await delay(20)) {
    if (Date.now() - begun > 30_000) throw new Error(`${name} was not archived`);
  }
  const next = (parseLsn(switched) + BigInt(segmentSize) - 1n) / BigInt(segmentSize);
  const end = next * BigInt(segmentSize);
  return `${(end >> 32n).toString(16).toUpperCase()}/${(end & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** What pg_basebackup makes, as chunks in a repository. */
async function backUp(
  { server, store, root, systemIdentifier }: Pick<Source, 'server' | 'store' | 'root' | 'systemIdentifier'>,
  { chunks: count = 3, walMethod = 'Archive', settings: told = {}, unverified = false, alter }: BackupOptions,
): Promise<PhysicalManifest> {
  const folder = await mkdtemp(join(root, 'backup-'));
  const wal = walMethod === 'Archive' ? 'none' : walMethod.toLowerCase();
  await execa(
    join(server.bin, 'pg_basebackup'),
    [
      '-D',
      folder,
      '-Ft',
      '-X',
      wal,
      '-c',
      'fast',
      '-h',
      server.host,
      '-p',
      String(server.port),
      '-U',
      server.superuser,
      ...(unverified ? ['--no-verify-checksums'] : []),
    ],
    { env: { PGPASSWORD: server.password } },
  );
  const backupID = `${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}-physical-full`;
  const path = backupPath({ ...owner, systemIdentifier, backupID });
  const unpacked = join(folder, 'unpacked');
  await mkdir(unpacked);
  await execa('tar', ['-xf', join(folder, 'base.tar'), '-C', unpacked]);
  await alter?.(unpacked);
  const { stdout } = await execa('tar', ['-tf', join(folder, 'base.tar')]);
  const members = stdout.split('\n');
  const chunks: Chunk[] = [];
  for (let index = 0; index < count; index += 1) {
    const mine = members.filter((_, place) => place % count === index);
    const tar = join(folder, `chunk-${index}`);
    await execa('tar', ['-cf', tar, '-C', unpacked, '--no-recursion', '--numeric-owner', '-T', '-'], {
      input: mine.join('\n'),
    });
    chunks.push({ ...(await put(store, path, `base/${index}.tar.zst`, tar)), bytes: (await stat(tar)).size });
  }
  const tablespaces = [];
  for (const name of await readdir(folder)) {
    const oid = /^(\d+)\.tar$/.exec(name)?.[1];
    if (oid === undefined) continue;
    const tar = join(folder, name);
    const object = await put(store, path, `base/${oid}.0.tar.zst`, tar);
    chunks.push({ ...object, tablespace: oid, bytes: (await stat(tar)).size });
    const location = await server.psql(`SELECT pg_tablespace_location(${oid})`);
    tablespaces.push({ oid, location });
  }
  const backupManifest = await put(store, path, 'base/backup_manifest.zst', join(folder, 'backup_manifest'));
  const own: StoredObject[] = [];
  if (walMethod === 'Stream') {
    const streamed = join(folder, 'wal');
    await mkdir(streamed);
    await execa('tar', ['-xf', join(folder, 'pg_wal.tar'), '-C', streamed]);
    for (const name of await readdir(streamed)) {
      if (/^[0-9A-F]{24}$/.test(name)) own.push(await put(store, path, `base/wal/${name}.zst`, join(streamed, name)));
    }
  }
  const { 'WAL-Ranges': ranges } = JSON.parse(await readFile(join(folder, 'backup_manifest'), 'utf8'));
  const [{ Timeline: timeline, 'Start-LSN': beginLSN, 'End-LSN': endLSN }] = ranges;
  const settings = await server.psql(
    "SELECT json_object_agg(name, setting) FROM pg_settings WHERE name IN ('max_connections', 'max_worker_processes', 'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')",
  );
  const manifest: PhysicalManifest = {
    format: 1,
    backupID,
    method: 'Physical',
    type: 'Full',
    ...owner,
    run: 'by-hand',
    startTime: new Date().toISOString(),
    completionTime: new Date().toISOString(),
    server: { version: '15', systemIdentifier, timeline, role: 'Primary' },
    compression: { algorithm: 'zstd', level: 1 },
    size: { source: chunks.reduce((sum, { bytes }) => sum + bytes, 0), stored: 0 },
    physical: {
      chunks,
      tablespaces,
      backupManifest,
      walMethod,
      wal: own,
      beginLSN,
      endLSN,
      beginSegment: segmentNameAt(timeline, parseLsn(beginLSN), segmentSize),
      endSegment: segmentNameBefore(timeline, parseLsn(endLSN), segmentSize),
      timeline,
      segmentSize,
      dataDirectory: server.dataFolder,
      owner: { uid: 101, gid: 104 },
      dataChecksums: false,
      checksumFailures: 0,
      settings: { ...JSON.parse(settings), ...told },
    },
  };
  await commitBackup(store, { ...owner, systemIdentifier, backupID }, manifest, signal());
  await rm(folder, { recursive: true, force: true });
  return manifest;
}

async function put(store: Store, path: string, name: string, file: string): Promise<StoredObject> {
  await execa('zstd', ['-q', '-1', '-f', file, '-o', `${file}.packed`]);
  const hash = createHash('sha256');
  for await (const part of createReadStream(`${file}.packed`)) hash.update(part);
  await store.upload(`${path}/${name}`, createReadStream(`${file}.packed`), { signal: signal() });
  const { size } = await stat(`${file}.packed`);
  return { path: name, size, sha256: `sha256:${hash.digest('hex')}` };
}

/** The plan as the planning agent would make it. */
export function planFor(
  manifest: PhysicalManifest,
  endOfArchive: string,
  more: Partial<RecoveryPlan> = {},
): RecoveryPlan {
  const { physical } = manifest;
  const { systemIdentifier } = manifest.server;
  return {
    backupID: manifest.backupID,
    backupPath: backupPath({ ...owner, systemIdentifier, backupID: manifest.backupID }),
    repository: repository.name,
    ...owner,
    systemIdentifier,
    major: 15,
    version: '15',
    segmentSize,
    beginLSN: physical.beginLSN,
    endLSN: physical.endLSN,
    beginTimeline: physical.timeline,
    targetTimeline: physical.timeline,
    endOfArchive,
    bytes: String(manifest.size.source),
    dataDirectory: physical.dataDirectory,
    uid: 101,
    gid: 104,
    settings: [],
    ...more,
  };
}

export function taskFor(
  plan: RecoveryPlan,
  target: Partial<RecoveryTarget>,
  dataDirectory: string,
  more: Partial<RecoverTask> = {},
): RecoverTask {
  return {
    action: 'recover',
    namespace: 'shop',
    recovery: { name: 'before-the-delete', uid: '11112222-0000-4000-8000-000000000001' },
    source: { repository, ...owner },
    target: { targetTLI: 'latest', exclusive: false, backupID: '', ...target },
    plan,
    place: { dataDirectory },
    assertions: [],
    ...more,
  };
}

export async function ownedFolder(path: string, { uid, gid }: Account): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chown(path, uid, gid);
  return path;
}
