import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { terminal, transient } from '../domain/failure.ts';

export interface RcloneProcess {
  /** http://127.0.0.1:PORT */
  readonly url: string;
  readonly authorization: string;
  readonly hasEnded: () => boolean;
  /** Another configuration from now on. */
  readonly rewrite: (config: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

interface RcloneConfig {
  readonly config: string;
  /** Host keys of SFTP servers. */
  readonly knownHosts: string | undefined;
}

const startsWithin = 20_000;

/**
 * One rclone for the life of a store, which answers on a port of the loopback behind a password of its own: a process for
 * each object would cost a tenth of a second and a new login each. It works on a copy of its configuration, since it
 * writes there what it learns of a server.
 */
export async function startRclone({ config, knownHosts }: RcloneConfig): Promise<RcloneProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-rclone-'));
  const place = join(folder, 'rclone.conf');
  const password = randomBytes(24).toString('hex');
  let child: ChildProcess | undefined;
  try {
    await writeFile(place, config, { mode: 0o600 });
    const hosts = join(folder, 'known_hosts');
    if (knownHosts !== undefined) await writeFile(hosts, `${knownHosts}\n`, { mode: 0o600 });
    child = spawn('rclone', [...command, '--config', place, '--cache-dir', folder, '--temp-dir', folder], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...inherited(),
        HOME: folder,
        RCLONE_RC_USER: 'tidemark',
        RCLONE_RC_PASS: password,
        // A login and a program on the server for each file: four times as slow, where SSH itself guards the bytes.
        RCLONE_SFTP_DISABLE_HASHCHECK: 'true',
        ...(knownHosts === undefined ? {} : { RCLONE_SFTP_KNOWN_HOSTS_FILE: hosts }),
      },
    });
    const running = child;
    const url = await addressOf(running);
    const kill = () => void running.kill('SIGKILL');
    process.once('exit', kill);
    return {
      url,
      authorization: `Basic ${Buffer.from(`tidemark:${password}`).toString('base64')}`,
      hasEnded: () => isOver(running),
      rewrite: (newer) => writeFile(place, newer, { mode: 0o600 }),
      async stop() {
        process.off('exit', kill);
        await end(running);
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    if (child !== undefined) await end(child);
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Fewer tries within than rclone's ten: the outer ones (attempts.ts) know how long an outage may last. */
const command = [
  'rcd',
  '--rc-addr=127.0.0.1:0',
  '--rc-serve',
  '--ask-password=false',
  '--low-level-retries=3',
  '--contimeout=10s',
  '--timeout=60s',
  '--use-json-log',
];

/** What leads to a network, and nothing else of the agent's environment. */
function inherited(): Readonly<Record<string, string>> {
  const names = [
    'PATH',
    'SSL_CERT_FILE',
    'HTTPS_PROXY',
    'HTTP_PROXY',
    'NO_PROXY',
    'https_proxy',
    'http_proxy',
    'no_proxy',
  ];
  return Object.fromEntries(
    names.flatMap((name): [string, string][] => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** As it says itself, once it listens. What it says afterwards is read and forgotten: the answers tell it too. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(
      () => reject(transient('StoreUnreachable', 'rclone did not start in time. Give the Job more processor time.')),
      startsWithin,
    );
    const fail = (error: unknown) => {
      clearTimeout(timer);
      reject(error);
    };
    child.once('error', (error) =>
      fail(
        terminal('NotSupported', `The program rclone cannot be started: ${error.message}. Use the agent's own image.`),
      ),
    );
    child.once('exit', (code) =>
      fail(terminal('StoreError', `rclone ended with ${code} before it did anything: ${lastWords(said)}.`)),
    );
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 10_000) said += text;
      const found = said.match(/Serving remote control on (http:\/\/127\.0\.0\.1:\d+)\//)?.[1];
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
  });
}

function lastWords(said: string): string {
  return (
    said
      .trim()
      .split('\n')
      .at(-1)
      ?.match(/"msg":"(.*?)","/)?.[1]
      ?.slice(0, 300) ?? 'it said nothing'
  );
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

async function end(child: ChildProcess): Promise<void> {
  if (isOver(child)) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const patience = new AbortController();
  const killing = delay(5000, undefined, { signal: patience.signal }).then(
    () => child.kill('SIGKILL'),
    () => undefined,
  );
  await exited;
  patience.abort();
  await killing;
}
