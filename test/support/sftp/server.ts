import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Timings } from '../../../src/repository/attempts.ts';
import { rcloneStore } from '../../../src/repository/rclone.ts';
import type { Store } from '../../../src/repository/store.ts';
import { ensureDebianPackages } from '../cluster/packages.ts';
import { freePort } from '../s3/server.ts';
import { startServerProcess } from '../server-process.ts';

export interface SftpServer {
  readonly port: number;
  /** Its files are those of this folder. */
  readonly folder: string;
  /** Of rclone, with a remote `offsite`. */
  readonly config: string;
  readonly knownHosts: string;
  readonly stop: () => Promise<void>;
}

/** A real sshd on a free port of this host, with keys of its own, for the user that runs the tests. */
export async function startSftpServer(address = '127.0.0.1'): Promise<SftpServer> {
  await ensureDebianPackages(['rclone', 'openssh-server', 'openssh-client'], () => undefined);
  const root = await mkdtemp(join(tmpdir(), 'tidemark-sftp-'));
  const [host, user, folder] = ['host', 'user', 'files'].map((name) => join(root, name)) as [string, string, string];
  await mkdir(folder);
  for (const key of [host, user]) await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const port = await freePort(address);
  const place = join(root, 'sshd_config');
  await writeFile(place, configuration({ port, address, host, user }));
  // Where sshd of Debian, started by root, locks its unprivileged half in.
  if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true });
  const server = await startServerProcess('sshd', ['/usr/sbin/sshd', '-D', '-e', '-f', place], { port, host: address });
  const [hostKey, privateKey] = await Promise.all([readFile(`${host}.pub`, 'utf8'), readFile(user, 'utf8')]);
  return {
    port,
    folder,
    config: rcloneConfig(address, port, privateKey),
    knownHosts: `[${address}]:${port} ${hostKey.split(' ').slice(0, 2).join(' ')}`,
    async stop() {
      await server.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

function configuration({
  port,
  address,
  host,
  user,
}: {
  readonly port: number;
  readonly address: string;
  readonly host: string;
  readonly user: string;
}): string {
  return `Port ${port}
ListenAddress ${address}
HostKey ${host}
AuthorizedKeysFile ${user}.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
Subsystem sftp internal-sftp
`;
}

function rcloneConfig(address: string, port: number, privateKey: string): string {
  return `[offsite]
type = sftp
host = ${address}
port = ${port}
user = ${userInfo().username}
key_pem = ${privateKey.trim().split('\n').join('\\n')}\\n
`;
}

/** A store as open.ts makes it, without mounted files. */
export function openSftp(
  { config, knownHosts }: { readonly config: string; readonly knownHosts?: string },
  remote: string,
  timings?: Timings,
): Store {
  return rcloneStore({ remote, config: async () => ({ config, knownHosts }), configFrom: 'the Secret store' }, timings);
}
