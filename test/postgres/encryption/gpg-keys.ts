import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import type { Setting } from '../backup/setting.ts';

/** What a person makes with gpg. */
export interface GpgKey {
  readonly fingerprint: string;
  /** What gpg --export and --export-secret-keys print, armored. */
  readonly publicKey: string;
  readonly privateKey: string;
}

interface KeyOptions {
  readonly passphrase?: string;
  readonly algorithm?: 'Curve25519' | 'RSA';
  readonly expire?: string;
  /** When gpg is to believe that it is. */
  readonly at?: string;
}

export async function generateGpgKey({
  passphrase = '',
  algorithm = 'Curve25519',
  expire = 'never',
  at,
}: KeyOptions = {}): Promise<GpgKey> {
  return withHome(async (gpg, home) => {
    // Else it measures for seconds how much work a passphrase is to be.
    await writeFile(join(home, 'gpg-agent.conf'), 's2k-count 65536\n');
    const [sign, encrypt] = algorithm === 'RSA' ? ['rsa2048', 'rsa2048'] : ['ed25519', 'cv25519'];
    const time = at === undefined ? [] : ['--faked-system-time', at];
    const secret = ['--pinentry-mode', 'loopback', '--passphrase', passphrase];
    const own = [...time, ...secret];
    await gpg([...own, '--quick-generate-key', 'Backup <backup@example.org>', sign, 'sign', expire]);
    const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(await gpg(['--with-colons', '--list-keys']))?.[1] ?? '';
    await gpg([...own, '--quick-add-key', fingerprint, encrypt, 'encrypt', expire]);
    const publicKey = await gpg(['--armor', '--export']);
    const privateKey = await gpg([...secret, '--armor', '--export-secret-keys']);
    return { fingerprint, publicKey, privateKey };
  });
}

/** As a person decrypts by hand, with a home of its own. */
export function decryptByHand(privateKey: string, file: string): Promise<Buffer> {
  return withHome(async (gpg, home) => {
    await gpg(['--import'], privateKey);
    const { stdout } = await execa('gpg', ['--homedir', home, '--batch', '--quiet', '--decrypt', file], {
      encoding: 'buffer',
    });
    return Buffer.from(stdout);
  });
}

type Gpg = (args: readonly string[], input?: string) => Promise<string>;

/** Its agent ends with the folder. */
async function withHome<Result>(use: (gpg: Gpg, home: string) => Promise<Result>): Promise<Result> {
  const home = await mkdtemp(join(tmpdir(), 'gpg-'));
  try {
    return await use(async (args, input = '') => {
      const { stdout } = await execa('gpg', ['--homedir', home, '--batch', '--quiet', ...args], { input });
      return stdout;
    }, home);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

export const publicSecret = { name: 'gpg-public', key: 'public.asc' };
export const privateSecret = { name: 'gpg-private', key: 'private.asc' };

export function forGpg(
  task: RepositoryTask,
  recipients: readonly string[],
  identitySecretRef: typeof privateSecret | undefined = privateSecret,
): RepositoryTask {
  const gpg = {
    publicKeySecretRef: publicSecret,
    recipients: [...recipients],
    ...(identitySecretRef === undefined ? {} : { identitySecretRef }),
  };
  return { ...task, spec: { ...task.spec, encryption: { gpg } } };
}

/** As the kubelet mounts the two Secrets; undefined: there is none. */
export async function mountGpgKeys(
  { folders }: Setting,
  { publicKeys, privateKeys }: { readonly publicKeys?: string | undefined; readonly privateKeys?: string | undefined },
): Promise<void> {
  for (const [place, key, text] of [
    [mounts.repository.publicKeys(0), publicSecret.key, publicKeys],
    [mounts.repository.identity(0), privateSecret.key, privateKeys],
  ] as const) {
    const folder = join(folders.mountRoot, place);
    await rm(folder, { recursive: true, force: true });
    if (text === undefined) continue;
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, key), text, { mode: 0o440 });
  }
}

/** Those of this machine that the agent has started: the account's number, state and command. */
export async function gpgAgents(): Promise<readonly string[]> {
  const { stdout } = await execa('ps', ['-eo', 'uid:1=,stat=,args=']);
  return stdout.split('\n').filter((line) => /gpg-agent .*tidemark-gpg-/.test(line) && !/^\s*\d+ Z/.test(line));
}
