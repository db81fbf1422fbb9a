import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Folders } from '../../../src/agent/backup/run-backup.ts';
import type { Task } from '../../../src/domain/task.ts';
import { bundled } from '../bundled.ts';
import { type Asked, type S3Kind, type Script, startScriptedProxy } from '../s3/scripted-proxy.ts';
import type { Given, Told } from './agent-process.ts';

/**
 * Where an agent can be killed so that it matters, seen from outside: each request to the store, to the API server and to
 * the database, before it arrives there; and of those that change something, after it was done and before the agent knows.
 */
export interface CrashPoints {
  /** In front of the store. */
  readonly s3: string;
  /** In front of the database; 0 where there is none. */
  readonly port: number;
  /** Runs the task until its end, or until the point with this number, where it is killed. */
  readonly run: (work: Work) => Promise<Run>;
  readonly stop: () => Promise<void>;
}

export interface Work {
  readonly task: Task;
  readonly folders: Folders;
  readonly pod?: string;
  readonly later?: number;
  readonly killAt?: number;
  /** The API server: called by the names of RetentionCluster and CatalogueCluster, and `facts`. */
  readonly cluster?: (method: string, args: readonly unknown[]) => unknown;
}

export interface Run extends Told {
  readonly killed: boolean;
  /** What was reached, by number. */
  readonly points: readonly string[];
}

interface Current {
  readonly killAt: number;
  readonly points: string[];
  readonly cluster: NonNullable<Work['cluster']>;
  readonly kill: () => Promise<void>;
}

const writing: readonly S3Kind[] = ['put', 'begin', 'part', 'complete', 'abort', 'delete', 'delete-many'];

export async function startCrashPoints(store: string, database?: { readonly port: number }): Promise<CrashPoints> {
  let current: Current | undefined;
  const reaches = (what: string): boolean => {
    if (current === undefined) return false;
    current.points.push(what);
    return current.points.length - 1 === current.killAt;
  };
  const kill = async () => current?.kill();
  const script: Script = async (asked) => {
    const what = nameOf(asked);
    if (reaches(`before ${what}`)) {
      await kill();
      return { fault: 'reset' };
    }
    return writing.includes(asked.kind) && reaches(`after ${what}`) ? { fault: 'lose', meanwhile: kill } : 'forward';
  };
  const proxy = await startScriptedProxy(store, script);
  const control = await startControl(async (method, args) => {
    if (reaches(`before ${method}`)) await kill();
    else {
      const result = await current?.cluster(method, args);
      if (!/^(facts|create|describe|place|markRemoved)$/.test(method) || !reaches(`after ${method}`)) return result;
      await kill();
    }
    return undefined;
  });
  const statements = database === undefined ? undefined : await startStatements(database.port, { reaches, kill });
  return {
    s3: proxy.endpoint,
    port: statements?.port ?? 0,
    async run(work) {
      const child = await start(work, control.url);
      let killed = false;
      current = {
        killAt: work.killAt ?? -1,
        points: [],
        cluster: work.cluster ?? (() => undefined),
        async kill() {
          killed = true;
          await killGroup(child);
        },
      };
      const { points } = current;
      try {
        const told = await ended(child);
        if (told === undefined && !killed) throw new Error('the agent ended without a word');
        return { ...told, killed, points };
      } finally {
        current = undefined;
      }
    },
    async stop() {
      await Promise.all([proxy.stop(), control.stop(), statements?.stop()]);
    },
  };
}

/** The keys' last parts are enough to tell where it was. */
function nameOf({ kind, path, query }: Asked): string {
  const name = path.split('/').slice(-2).join('/');
  return `${kind} ${query.get('prefix')?.split('/').slice(-3).join('/') ?? name}`;
}

/** In a group of its own, as the processes of a pod end together. */
async function start({ task, folders, pod = 'pod-1', later = 0 }: Work, control: string): Promise<ChildProcess> {
  const given: Given = { task, folders, pod, control, later };
  const script = await bundled(fileURLToPath(new URL('./agent-process.ts', import.meta.url)));
  const child = spawn(process.execPath, [script, JSON.stringify(given)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const end = () => void killGroup(child);
  process.once('exit', end);
  child.once('exit', () => process.removeListener('exit', end));
  return child;
}

async function killGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  process.kill(-child.pid, 'SIGKILL');
  await gone;
}

async function ended(child: ChildProcess): Promise<Told | undefined> {
  const said: Buffer[] = [];
  child.stdout?.on('data', (part: Buffer) => said.push(part));
  await once(child, 'close');
  const text = Buffer.concat(said).toString();
  return text === '' ? undefined : JSON.parse(text);
}

interface Listening {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

async function startControl(call: (method: string, args: readonly unknown[]) => Promise<unknown>): Promise<Listening> {
  const server = createServer((request, response) => {
    void (async () => {
      const result = await call((request.url ?? '/').slice(1), JSON.parse(await bodyOf(request)));
      response.end(JSON.stringify({ result }));
    })().catch(() => response.socket?.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  return { url: `http://127.0.0.1:${portOf(address)}`, stop };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** What a client sends to the database comes in pieces, a statement in one: each is a point. */
async function startStatements(
  to: number,
  { reaches, kill }: { readonly reaches: (what: string) => boolean; readonly kill: () => Promise<void> },
): Promise<{ readonly port: number; readonly stop: () => Promise<void> }> {
  const open = new Set<Socket>();
  const server: TcpServer = createTcpServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    upstream.pipe(client);
    client.on('data', (piece) => {
      if (reaches(`before statement ${statementIn(piece)}`)) {
        void kill().then(() => upstream.destroy());
        return;
      }
      upstream.write(piece);
    });
    client.once('end', () => upstream.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: portOf(server.address()), stop };
}

/** For a person who reads which point it was. */
function statementIn(piece: Buffer): string {
  return piece
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 60);
}

function portOf(address: ReturnType<TcpServer['address']>): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}
