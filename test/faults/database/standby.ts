import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { serverAccount } from '../../support/postgres/account.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import type { TestServer } from '../../support/postgres/server.ts';

export interface Standby extends TestServer {
  readonly promote: () => Promise<void>;
  /** Waits until it has replayed all that the primary has written until now. */
  readonly catchUp: () => Promise<void>;
}

/** Of another address on the same port, as the pods of a workload are. */
export async function startStandby(
  primary: TestServer,
  host: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<Standby> {
  const { uid, gid } = await serverAccount();
  const folder = await mkdtemp(join(await runFolder(), 'standby-'));
  const dataFolder = join(folder, 'data');
  const { port, superuser, password, bin } = primary;
  const where = ['-h', primary.host, '-p', String(port), '-U', superuser];
  await execa(
    join(bin, 'pg_basebackup'),
    ['-D', dataFolder, '-R', '-X', 'stream', '-c', 'fast', '--no-sync', ...where],
    {
      env: { PGPASSWORD: password },
    },
  );
  const own = { listen_addresses: host, unix_socket_directories: folder, hot_standby: 'on', ...settings };
  const lines = Object.entries(own).map(([name, value]) => `${name} = '${value}'`);
  await appendFile(join(dataFolder, 'postgresql.conf'), `\n${lines.join('\n')}\n`);
  await execa('chown', ['-R', `${uid}:${gid}`, folder]);
  await chmod(dataFolder, 0o700);
  const server = spawn(join(bin, 'postgres'), ['-D', dataFolder], { uid, gid, cwd: folder, stdio: 'ignore' });
  const exited = once(server, 'exit');
  const killOnExit = () => server.kill('SIGQUIT');
  process.once('exit', killOnExit);
  const state = async () => (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[7];
  for (const begun = Date.now(); !['standby', 'ready'].includes((await state())?.trim() ?? ''); await delay(20)) {
    if (Date.now() - begun > 30_000) throw new Error('the standby did not start');
  }
  const psql = async (sql: string, database = 'postgres') => {
    const env = { PGHOST: folder, PGPORT: String(port), PGUSER: superuser, PGDATABASE: database, PGPASSWORD: password };
    const args = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'];
    return (await execa(join(bin, 'psql'), args, { input: sql, env })).stdout;
  };
  return {
    ...{ ...primary, host, dataFolder, psql },
    promote: async () => void (await psql('SELECT pg_promote(true)')),
    catchUp: async () => {
      const position = await primary.psql('SELECT pg_current_wal_lsn()');
      while ((await psql(`SELECT pg_last_wal_replay_lsn() >= '${position}'`)) !== 't') await delay(20);
    },
    stop: async () => {
      process.removeListener('exit', killOnExit);
      server.kill('SIGINT');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
