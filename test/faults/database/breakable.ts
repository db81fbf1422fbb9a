import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { serverAccount } from '../../support/postgres/account.ts';
import { type ServerOptions, startPostgres, type TestServer } from '../../support/postgres/server.ts';

/** A server that can be stopped in every way there is, and started again over the same data. */
export interface Breakable extends TestServer {
  /** Stops every process without closing a connection; gives what lets them go on. */
  readonly freeze: () => Promise<() => void>;
  /** Every process at once, as a node that loses its power. */
  readonly kill: () => Promise<void>;
  readonly shutDown: (how?: 'SIGINT' | 'SIGTERM' | 'SIGQUIT') => Promise<void>;
  /** `ready`: waits until it takes connections. */
  readonly start: (options?: { readonly environment?: NodeJS.ProcessEnv; readonly ready?: boolean }) => Promise<void>;
}

export async function startBreakable(options: ServerOptions = {}): Promise<Breakable> {
  return breakable(await startPostgres(options));
}

export function breakable(server: TestServer): Breakable {
  const { dataFolder, bin } = server;
  const postmaster = () => postmasterOf(dataFolder);
  const end = async (signal: NodeJS.Signals, all: boolean) => {
    const pid = await postmaster();
    if (pid === undefined) return;
    const pids = all ? [pid, ...(await childrenOf(pid))] : [pid];
    for (const each of pids) send(each, signal);
    for (const each of pids) while (await isAlive(each)) await delay(10);
  };
  const start: Breakable['start'] = async ({ environment, ready = true } = {}) => {
    const { uid, gid } = await serverAccount();
    const child = spawn(join(bin, 'postgres'), ['-D', dataFolder], {
      ...{ uid, gid, cwd: dirname(dataFolder), stdio: 'ignore' },
      ...(environment === undefined ? {} : { env: { ...process.env, ...environment } }),
    });
    const killOnExit = () => child.kill('SIGQUIT');
    process.once('exit', killOnExit);
    const exited = once(child, 'exit').then(() => process.removeListener('exit', killOnExit));
    if (!ready) return;
    for (const begun = Date.now(); !(await isReady(dataFolder, child.pid)); await delay(20)) {
      const over = await Promise.race([exited.then(() => true), delay(0, false)]);
      if (over || Date.now() - begun > 60_000) throw new Error('PostgreSQL did not start again');
    }
  };
  return {
    ...server,
    freeze: async () => {
      const pid = await postmaster();
      if (pid === undefined) throw new Error('the server does not run');
      send(pid, 'SIGSTOP');
      const children = await childrenOf(pid);
      for (const child of children) send(child, 'SIGSTOP');
      return () => {
        for (const each of [...children, pid]) send(each, 'SIGCONT');
      };
    },
    kill: () => end('SIGKILL', true),
    shutDown: (how = 'SIGINT') => end(how, false),
    start,
    stop: async () => {
      const pid = await postmaster();
      if (pid !== undefined) for (const each of [...(await childrenOf(pid)), pid]) send(each, 'SIGCONT');
      await end('SIGQUIT', false);
      await server.stop();
    },
  };
}

/** Stops one process; gives what lets it go on. */
export function freezeProcess(pid: number): () => void {
  send(pid, 'SIGSTOP');
  return () => send(pid, 'SIGCONT');
}

async function postmasterOf(dataFolder: string): Promise<number | undefined> {
  const pid = Number((await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0]);
  return pid > 0 && (await isAlive(pid)) ? pid : undefined;
}

/** The file of one that died stays there, and says that it is ready. */
async function isReady(dataFolder: string, pid: number | undefined): Promise<boolean> {
  const lines = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return list.split(' ').filter(Boolean).map(Number);
}

/** A zombie is dead: nobody may have asked for it yet. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ESRCH') throw error;
  }
}
