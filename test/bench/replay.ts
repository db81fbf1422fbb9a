import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { serverAccount } from '../support/postgres/account.ts';

/** Lets a server replay what its restore_command gives, and gives its log; it is ended when replay is. */
export async function replayWith(
  bin: string,
  dataDirectory: string,
  settings: Readonly<Record<string, string>>,
): Promise<string> {
  const { uid, gid } = await serverAccount();
  await writeFile(join(dataDirectory, 'recovery.signal'), '');
  await execa('chown', ['-R', `${uid}:${gid}`, dataDirectory]);
  await execa('chmod', ['700', dataDirectory]);
  const all = {
    // As Tidemark has its servers recover.
    fsync: 'on',
    autovacuum: 'off',
    archive_mode: 'off',
    listen_addresses: '',
    unix_socket_directories: dataDirectory,
    log_line_prefix: '%m [%p] ',
    ...settings,
  };
  const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(join(bin, 'postgres'), ['-D', dataDirectory, ...options], {
    uid,
    gid,
    cwd: dataDirectory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const parts: Buffer[] = [];
  const log = () => Buffer.concat(parts).toString();
  server.stdout.on('data', (part: Buffer) => parts.push(part));
  server.stderr.on('data', (part: Buffer) => parts.push(part));
  const gone = once(server, 'close');
  try {
    while (!log().includes('redo done at')) {
      if (server.exitCode !== null) throw new Error(`the server ended before its replay was done:\n${log()}`);
      await delay(50);
    }
    return log();
  } finally {
    server.kill('SIGQUIT');
    await gone;
  }
}

/** In segments of 16 MiB. */
export interface Replay {
  readonly segments: number;
  readonly seconds: number;
  readonly perSecond: number;
}

/** As the server itself tells. */
export function readReplay(log: string): Replay {
  const starts = /redo starts at ([0-9A-F]+\/[0-9A-F]+)/.exec(log)?.[1];
  const [, done, elapsed] = /redo done at ([0-9A-F]+\/[0-9A-F]+) .*elapsed: ([0-9.]+) s/.exec(log) ?? [];
  if (starts === undefined || done === undefined) throw new Error(`the server does not tell of its replay:\n${log}`);
  const segments = (bytesAt(done) - bytesAt(starts)) / (16 * 1024 ** 2);
  const seconds = Number(elapsed);
  return { segments, seconds, perSecond: segments / seconds };
}

function bytesAt(lsn: string): number {
  const [high = '', low = ''] = lsn.split('/');
  return Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16);
}
