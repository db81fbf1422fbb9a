import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { ensureTool } from '../cluster/tools.ts';

export interface S3Server {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** The bucket's objects are files under <folder>/<bucket>. */
  readonly folder: string;
  readonly createBucket: (name: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** A real S3 server (versitygw) on a free port of this host, over a folder of its own. */
export async function startS3Server({ signal }: { readonly signal?: AbortSignal } = {}): Promise<S3Server> {
  const binary = await ensureTool('versitygw', { log: () => undefined, ...(signal === undefined ? {} : { signal }) });
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-s3-'));
  const objects = join(folder, 'objects');
  await mkdir(objects);
  const accessKey = `tidemark${randomBytes(4).toString('hex')}`;
  const secretKey = randomBytes(16).toString('hex');
  const port = await freePort();
  const child = spawn(binary, ['--port', `127.0.0.1:${port}`, 'posix', '--disableotmp', objects], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
  });
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  signal?.addEventListener('abort', () => void stop(), { once: true });
  await answers(port, child);
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    endpoint,
    accessKey,
    secretKey,
    folder: objects,
    createBucket: creator(endpoint, accessKey, secretKey),
    stop,
  };
}

function creator(endpoint: string, accessKeyId: string, secretAccessKey: string): (name: string) => Promise<void> {
  return async (Bucket) => {
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    await client.send(new CreateBucketCommand({ Bucket }));
    client.destroy();
  };
}

/** Resolves when the server takes connections; rejects where it ended before. */
async function answers(port: number, child: ChildProcess): Promise<void> {
  while (!(await accepts(port))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the S3 server ended with ${child.exitCode ?? child.signalCode}`);
    await delay(20);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await exited;
  clearTimeout(timer);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
