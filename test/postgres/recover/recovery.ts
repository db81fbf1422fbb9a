import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { RecoverTask } from '../../../src/domain/task.ts';
import { bundled } from '../../support/bundled.ts';
import { binariesRoot } from '../../support/postgres/binaries.ts';
import type { Given, Told } from './recover-process.ts';
import { ownedFolder, type Source } from './source.ts';

export interface Recovered extends Told {
  /** The server's container: its exit code, and all that it wrote. */
  readonly exitCode: number | null;
  readonly log: string;
  /** What the agent's process logged. */
  readonly agentLog: string;
}

export interface Doing {
  readonly patience?: Given['patience'];
  readonly mountPoints?: readonly string[];
  readonly standbyCredentials?: string;
  readonly credentials?: string;
  /** Called when both run; `agent` may be signalled. */
  readonly meanwhile?: (running: {
    readonly folder: string;
    readonly agent: (signal?: NodeJS.Signals) => void;
  }) => Promise<void>;
}

/** The two containers of a recovery's pod, as two processes of the server's account. */
export async function recover(source: Source, task: RecoverTask, doing: Doing = {}): Promise<Recovered> {
  const { account, root, mountRoot } = source;
  const script = await bundled(fileURLToPath(new URL('./recover-process.ts', import.meta.url)));
  const folder = await ownedFolder(await mkdtemp(join(root, 'pod-')), account);
  const wrapper = `while [ ! -e ${folder}/recover.sh ] && [ ! -e ${folder}/stop ]; do sleep 0.1; done; [ -e ${folder}/recover.sh ] || exit 1; exec sh ${folder}/recover.sh`;
  const server = spawn('sh', ['-c', wrapper], {
    uid: account.uid,
    gid: account.gid,
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    // The programs of its own image.
    env: { PATH: `${source.server.bin}:/usr/bin:/bin` },
  });
  const log: Buffer[] = [];
  server.stdout.on('data', (part: Buffer) => log.push(part));
  server.stderr.on('data', (part: Buffer) => log.push(part));
  const serverEnded = once(server, 'close');
  const given: Given = {
    task,
    recovery: folder,
    mountRoot,
    standbyCredentials: doing.standbyCredentials ?? '/nonexistent',
    credentials: doing.credentials ?? '/nonexistent',
    patience: { serve: 1500, start: 30_000, stop: 60_000, poll: 100, ...doing.patience },
    mountPoints: doing.mountPoints ?? [],
  };
  const agent = execa(process.execPath, [script, JSON.stringify(given)], {
    uid: account.uid,
    gid: account.gid,
    cwd: root,
    env: {
      PATH: '/usr/bin:/bin',
      TIDEMARK_POSTGRESQL_ROOT: process.env.TIDEMARK_POSTGRESQL_ROOT ?? binariesRoot,
      HOME: root,
    },
    extendEnv: false,
    reject: false,
  });
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);
  try {
    const meanwhile = doing.meanwhile?.({ folder, agent: (how = 'SIGTERM') => void agent.kill(how) });
    const { stdout, stderr, signal } = await agent;
    // Its pod goes with it.
    if (signal === 'SIGKILL') server.kill('SIGTERM');
    await meanwhile;
    await Promise.race([serverEnded, delay(30_000, undefined, { ref: false })]);
    if (stdout === '') throw new Error(`the agent said nothing:\n${stderr}`);
    return { ...JSON.parse(stdout), exitCode: server.exitCode, log: Buffer.concat(log).toString(), agentLog: stderr };
  } finally {
    process.removeListener('exit', kill);
    if (server.exitCode === null) server.kill('SIGTERM');
  }
}

/** Starts the handed-over directory as its next owner would, asks, and shuts it down. */
export async function startAndAsk(
  source: Source,
  dataDirectory: string,
  sql: string,
  settings = '-c archive_mode=off',
): Promise<string> {
  const { account, server, root } = source;
  const socket = await ownedFolder(await mkdtemp(join(root, 'socket-')), account);
  const options = `-c listen_addresses='' -c unix_socket_directories=${socket} -c port=5432 ${settings}`;
  const as = { uid: account.uid, gid: account.gid, cwd: root };
  const control = (...args: readonly string[]) => execa(join(server.bin, 'pg_ctl'), ['-D', dataDirectory, ...args], as);
  await control('-w', '-l', join(socket, 'log'), '-o', options, 'start').catch(async (error: unknown) => {
    throw new Error(await readFile(join(socket, 'log'), 'utf8'), { cause: error });
  });
  try {
    const env = { PGHOST: socket, PGPORT: '5432', PGUSER: server.superuser, PGPASSWORD: server.password };
    const { stdout } = await execa(join(server.bin, 'psql'), ['-XqAt', '-d', 'postgres', '-c', sql], { env });
    return stdout;
  } finally {
    await control('-w', '-m', 'fast', 'stop');
  }
}
