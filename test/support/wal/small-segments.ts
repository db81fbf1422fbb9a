import { appendFile, chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { serverAccount } from '../postgres/account.ts';
import { binFolder } from '../postgres/binaries.ts';
import { runFolder } from '../postgres/run-folder.ts';

export interface SmallServer {
  readonly dataFolder: string;
  readonly psql: (sql: string) => Promise<string>;
  readonly log: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** A server whose segments have 1 MiB, so that many are quickly written; reached by a socket alone. */
export async function startSmallServer(settings: Readonly<Record<string, string>>): Promise<SmallServer> {
  return await startServerOf(1, { max_wal_size: '64MB', wal_keep_size: '1GB', ...settings });
}

/** Whose segments have so many MiB. */
export async function startServerOf(
  segmentSize: number,
  settings: Readonly<Record<string, string>>,
): Promise<SmallServer> {
  const account = await serverAccount();
  const bin = await binFolder();
  const folder = await mkdtemp(join(await runFolder(), 'small-'));
  await chmod(folder, 0o700);
  await chown(folder, account.uid, account.gid);
  const dataFolder = join(folder, 'data');
  const as = { uid: account.uid, gid: account.gid, cwd: folder };
  const size = `--wal-segsize=${segmentSize}`;
  const initdb = ['-D', dataFolder, '-U', 'postgres', '-A', 'trust', size, '--no-sync', '--locale=C'];
  await execa(join(bin, 'initdb'), initdb, as);
  const all = {
    fsync: 'off',
    listen_addresses: '',
    unix_socket_directories: folder,
    wal_level: 'replica',
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  await appendFile(join(dataFolder, 'postgresql.conf'), `\n${lines.join('\n')}\n`);
  const control = (...args: readonly string[]) =>
    execa(join(bin, 'pg_ctl'), ['-D', dataFolder, '-w', '-l', join(folder, 'log'), ...args], {
      ...as,
      stdio: 'ignore',
    });
  await control('start');
  return {
    dataFolder,
    async psql(sql) {
      const env = { PGHOST: folder, PGUSER: 'postgres', PGDATABASE: 'postgres' };
      const args = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'];
      return (await execa(join(bin, 'psql'), args, { input: sql, env })).stdout;
    },
    log: async () => (await execa('cat', [join(folder, 'log')])).stdout,
    async stop() {
      await control('stop', '-m', 'immediate');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
