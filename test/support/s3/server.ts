import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { ensureTool } from '../cluster/tools.ts';
import type { Certificate } from './faulty-server.ts';

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
export async function startS3Server({
  signal,
  host = '127.0.0.1',
  certificate,
}: {
  readonly signal?: AbortSignal;
  readonly host?: string;
  /** Speaks TLS with it. */
  readonly certificate?: Certificate;
} = {}): Promise<S3Server> {
  const binary = await ensureTool('versitygw', { log: () => undefined, ...(signal === undefined ? {} : { signal }) });
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-s3-'));
  const objects = join(folder, 'objects');
  await mkdir(objects);
  const accessKey = `tidemark${randomBytes(4).toString('hex')}`;
  const secretKey = randomBytes(16).toString('hex');
  const port = await freePort(host);
  const tls = certificate === undefined ? [] : await writeCertificate(folder, certificate);
  const child = spawn(binary, ['--port', `${host}:${port}`, ...tls, 'posix', '--disableotmp', objects], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
  });
  const stop = async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  signal?.addEventListener('abort', () => void stop(), { once: true });
  await answers(port, host, child);
  const endpoint = `${certificate === undefined ? 'http' : 'https'}://${host}:${port}`;
  return {
    endpoint,
    accessKey,
    secretKey,
    folder: objects,
    createBucket: creator(endpoint, { accessKeyId: accessKey, secretAccessKey: secretKey }, certificate),
    stop,
  };
}

async function writeCertificate(folder: string, { cert, key }: Certificate): Promise<readonly string[]> {
  const files = [join(folder, 'tls.crt'), join(folder, 'tls.key')] as const;
  await writeFile(files[0], cert);
  await writeFile(files[1], key);
  return ['--cert', files[0], '--key', files[1]];
}

function creator(
  endpoint: string,
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
  certificate: Certificate | undefined,
): (name: string) => Promise<void> {
  const trust =
    certificate === undefined ? {} : { requestHandler: { httpsAgent: new Agent({ ca: certificate.cert }) } };
  return async (Bucket) => {
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials, ...trust });
    await client.send(new CreateBucketCommand({ Bucket }));
    client.destroy();
  };
}

/** Resolves when the server takes connections; rejects where it ended before. */
async function answers(port: number, host: string, child: ChildProcess): Promise<void> {
  while (!(await accepts(port, host))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the S3 server ended with ${child.exitCode ?? child.signalCode}`);
    await delay(20);
  }
}

function accepts(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
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

export function freePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
