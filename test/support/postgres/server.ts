import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, chmod, chown, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { type Account, serverAccount } from './account.ts';
import { binFolder } from './binaries.ts';
import { runFolder } from './run-folder.ts';

export interface TestServer {
  readonly host: string;
  readonly port: number;
  readonly superuser: string;
  readonly password: string;
  readonly major: number;
  readonly dataFolder: string;
  /** Where the tools of its own major are. */
  readonly bin: string;
  /** Runs SQL as the superuser and gives the rows, unaligned. */
  readonly psql: (sql: string, database?: string) => Promise<string>;
  readonly stop: () => Promise<void>;
}

export interface ServerOptions {
  readonly major?: number;
  readonly signal?: AbortSignal;
  readonly settings?: Readonly<Record<string, string>>;
  /** Replaces pg_hba.conf. */
  readonly hba?: string;
  /** Pages carry checksums also where that is not the version's default. */
  readonly dataChecksums?: boolean;
  /** Files to put into the data folder before the start, such as server.crt and server.key. */
  readonly files?: Readonly<Record<string, string>>;
}

const superuser = 'postgres';
const host = '127.0.0.1';
// Its data is thrown away, so that nothing need reach a disk.
const defaults = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_wal_size: '2GB' };

/** Starts a PostgreSQL of its own on a free port, from a template that initdb made once. */
export async function startPostgres(options: ServerOptions = {}): Promise<TestServer> {
  const { major = 15, settings = {}, hba = defaultHba, files = {}, dataChecksums = false, signal } = options;
  const account = await serverAccount();
  const bin = await binFolder(major);
  const { template, password } = await templateFor(major, bin, account);
  const folder = await privateFolder(account);
  const dataFolder = join(folder, 'data');
  await copyFolder(template, dataFolder);
  await writeOwned(join(dataFolder, 'pg_hba.conf'), hba, account);
  for (const [name, text] of Object.entries(files)) await writeOwned(join(dataFolder, name), text, account);
  if (dataChecksums && major < 18) await execa(join(bin, 'pg_checksums'), ['--enable', '--no-sync', '-D', dataFolder]);
  const port = await freePort();
  const all = { ...defaults, port: String(port), listen_addresses: host, unix_socket_directories: folder, ...settings };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  await appendFile(join(dataFolder, 'postgresql.conf'), `\n${lines.join('\n')}\n`);
  const stop = await launch({ bin, dataFolder, folder, account });
  signal?.addEventListener('abort', () => void stop(), { once: true });
  const psql = async (sql: string, database = 'postgres') => {
    const { stdout } = await execa(join(bin, 'psql'), ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'], {
      input: sql,
      env: { PGHOST: folder, PGPORT: String(port), PGUSER: superuser, PGDATABASE: database, PGPASSWORD: password },
    });
    return stdout;
  };
  return { host, port, superuser, password, major, dataFolder, bin, psql, stop };
}

const defaultHba =
  'local all all scram-sha-256\nhost all all all scram-sha-256\nhost replication all all scram-sha-256\n';

interface Template {
  readonly template: string;
  readonly password: string;
}

/** Made by whoever needs it first in this test run; the others find it. */
async function templateFor(major: number, bin: string, account: Account): Promise<Template> {
  const made = join(await runFolder(), `template-${major}`);
  const found = await readTemplate(made);
  if (found !== undefined) return found;
  const folder = await privateFolder(account);
  const passwordFile = join(folder, 'password');
  await writeOwned(passwordFile, randomBytes(12).toString('base64url'), account);
  const args = ['-D', join(folder, 'data'), '-U', superuser, `--pwfile=${passwordFile}`, '-A', 'scram-sha-256'];
  await execa(join(bin, 'initdb'), [...args, '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], {
    uid: account.uid,
    gid: account.gid,
    cwd: folder,
  });
  // Whole or not at all; where somebody was quicker, theirs is taken.
  await rename(folder, made).catch(() => rm(folder, { recursive: true }));
  const template = await readTemplate(made);
  if (template === undefined) throw new Error(`no template in ${made}`);
  return template;
}

async function readTemplate(folder: string): Promise<Template | undefined> {
  const password = await readFile(join(folder, 'password'), 'utf8').catch(() => undefined);
  return password === undefined ? undefined : { template: join(folder, 'data'), password };
}

/** Owners and all. A program's work, which for the thousand files of a server is a quarter of Node's. */
async function copyFolder(from: string, to: string): Promise<void> {
  await execa('cp', ['-a', from, to]);
}

async function launch({
  bin,
  dataFolder,
  folder,
  account,
}: {
  readonly bin: string;
  readonly dataFolder: string;
  readonly folder: string;
  readonly account: Account;
}): Promise<() => Promise<void>> {
  const log: Buffer[] = [];
  const server = spawn(join(bin, 'postgres'), ['-D', dataFolder], {
    uid: account.uid,
    gid: account.gid,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  server.stdout.on('data', (chunk: Buffer) => log.push(chunk));
  server.stderr.on('data', (chunk: Buffer) => log.push(chunk));
  const exited = once(server, 'exit');
  const killOnExit = () => server.kill('SIGQUIT');
  process.once('exit', killOnExit);
  await ready(
    join(dataFolder, 'postmaster.pid'),
    () => server.exitCode !== null,
    () => Buffer.concat(log).toString(),
  );
  return async () => {
    process.removeListener('exit', killOnExit);
    server.kill('SIGINT');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
}

/** The postmaster writes its state into the eighth line of its pid file. */
async function ready(pidFile: string, dead: () => boolean, log: () => string): Promise<void> {
  for (const begun = Date.now(); Date.now() - begun < 120_000; await delay(20)) {
    const state = (await readFile(pidFile, 'utf8').catch(() => '')).split('\n')[7]?.trim();
    if (state === 'ready' || state === 'standby') return;
    if (dead()) throw new Error(`PostgreSQL did not start:\n${log()}`);
  }
  throw new Error(`PostgreSQL was not ready within two minutes:\n${log()}`);
}

async function privateFolder({ uid, gid }: Account): Promise<string> {
  const folder = await mkdtemp(join(await runFolder(), 'server-'));
  await chmod(folder, 0o700);
  await chown(folder, uid, gid);
  return folder;
}

async function writeOwned(path: string, text: string, { uid, gid }: Account): Promise<void> {
  await writeFile(path, text, { mode: 0o600 });
  await chown(path, uid, gid);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
