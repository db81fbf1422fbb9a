import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { PhysicalManifest, StoredObject } from '../../../src/domain/manifest.ts';
import type { Store } from '../../../src/repository/store.ts';
import { runPipeline } from '../../../src/stream/pipeline.ts';
import { serverAccount } from '../../support/postgres/account.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import type { TestServer } from '../../support/postgres/server.ts';

export interface RestoredServer {
  readonly dataFolder: string;
  readonly psql: (sql: string) => Promise<string>;
  readonly stop: () => Promise<void>;
}

export interface RestoreOptions {
  /** Makes a segment of an archive available: where to put it, and its name. */
  readonly archived?: { readonly names: readonly string[]; readonly get: (name: string) => Promise<Buffer> };
}

/** Lays the chunks with tar alone, and starts a server from them, as a person would without the operator. */
export async function startRestored(
  origin: TestServer,
  store: Store,
  { manifest, path }: { readonly manifest: PhysicalManifest; readonly path: string },
  { archived }: RestoreOptions = {},
): Promise<RestoredServer> {
  const { physical } = manifest;
  const folder = await mkdtemp(join(await runFolder(), 'restored-'));
  const dataFolder = join(folder, 'data');
  await mkdir(dataFolder);
  for (const { oid } of physical.tablespaces) await mkdir(join(folder, oid));
  for (const chunk of physical.chunks) {
    const into = chunk.tablespace === undefined ? dataFolder : join(folder, chunk.tablespace);
    await pipe(store, `${path}/${chunk.path}`, [
      { command: 'tar', args: ['--extract', '--file=-', `--directory=${into}`, '--delay-directory-restore'] },
    ]);
  }
  for (const { tablespace, parts } of physical.streams ?? []) {
    const into = tablespace === undefined ? dataFolder : join(folder, tablespace);
    const stages = [
      { command: 'zstd', args: ['-q', '-d', '-c'] },
      { command: 'tar', args: ['--extract', '--file=-', `--directory=${into}`, '--delay-directory-restore'] },
    ];
    const input = joined(
      store,
      parts.map((part) => `${path}/${part.path}`),
    );
    await runPipeline(stages, { signal: AbortSignal.timeout(120_000), input, stdout: 'ignore' }).finished;
  }
  for (const { oid } of physical.tablespaces) await symlink(join(folder, oid), join(dataFolder, 'pg_tblspc', oid));
  for (const object of physical.wal) {
    const name = (object.path.split('/').at(-1) ?? '').replace(/\.zst$/, '');
    await writeFile(join(dataFolder, 'pg_wal', name), await unpacked(store, path, object));
  }
  for (const name of archived?.names ?? []) {
    await writeFile(join(dataFolder, 'pg_wal', name), (await archived?.get(name)) ?? '');
  }
  await writeFile(join(dataFolder, 'backup_manifest'), await unpacked(store, path, physical.backupManifest));
  const { uid, gid } = await serverAccount();
  await execa('chown', ['-R', `${uid}:${gid}`, folder]);
  await chmod(dataFolder, 0o700);
  const verify = ['--no-parse-wal', dataFolder];
  await execa(join(origin.bin, 'pg_verifybackup'), verify);
  await rm(join(dataFolder, 'backup_manifest'));
  const map = physical.tablespaces.map(({ oid }) => `${oid} ${join(folder, oid)}\n`).join('');
  if (map !== '') await writeFile(join(dataFolder, 'tablespace_map'), map);
  const own = ['-c', 'port=5999', '-c', 'listen_addresses=', '-c', `unix_socket_directories=${folder}`];
  const server = spawn(join(origin.bin, 'postgres'), ['-D', dataFolder, ...own, '-c', 'archive_mode=off'], {
    uid,
    gid,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: Buffer[] = [];
  for (const output of [server.stdout, server.stderr]) output.on('data', (bytes: Buffer) => log.push(bytes));
  const exited = once(server, 'exit');
  const stop = async () => {
    if (server.exitCode === null) server.kill('SIGINT');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  for (const begun = Date.now(); ; await delay(20)) {
    const state = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[7]?.trim();
    if (state === 'ready') break;
    if (server.exitCode === null && Date.now() - begun < 120_000) continue;
    await stop();
    throw new Error(`the restored server did not start:\n${Buffer.concat(log)}`);
  }
  const psql = async (sql: string) => {
    const env = {
      PGHOST: folder,
      PGPORT: '5999',
      PGUSER: origin.superuser,
      PGDATABASE: 'postgres',
      PGPASSWORD: origin.password,
    };
    const { stdout } = await execa(join(origin.bin, 'psql'), ['-X', '-q', '-A', '-t', '-f', '-'], { input: sql, env });
    return stdout;
  };
  return { dataFolder, psql, stop };
}

async function* joined(store: Store, keys: readonly string[]): AsyncGenerator<Buffer, void, void> {
  for (const key of keys) yield* await store.download(key, { signal: AbortSignal.timeout(120_000) });
}

async function pipe(store: Store, key: string, stages: readonly { command: string; args: readonly string[] }[]) {
  const signal = AbortSignal.timeout(120_000);
  const input = await store.download(key, { signal });
  const unpack = key.endsWith('.zst') ? [{ command: 'zstd', args: ['-q', '-d', '-c'] }] : [];
  await runPipeline([...unpack, ...stages], { signal, input, stdout: 'ignore' }).finished;
}

async function unpacked(store: Store, path: string, object: StoredObject): Promise<Buffer> {
  const signal = AbortSignal.timeout(120_000);
  const input = await store.download(`${path}/${object.path}`, { signal });
  const stage = object.path.endsWith('.zst')
    ? { command: 'zstd', args: ['-q', '-d', '-c'] }
    : { command: 'cat', args: [] };
  const parts: Buffer[] = [];
  for await (const part of runPipeline([stage], { signal, input }).output) parts.push(part);
  return Buffer.concat(parts);
}
