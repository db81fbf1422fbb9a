import { execa } from 'execa';

let queue: Promise<unknown> = Promise.resolve();

/** Installs with apt-get what is missing of these Debian packages. Calls wait for one another: apt takes one at a time. */
export async function ensureDebianPackages(names: readonly string[], log: (line: string) => void): Promise<void> {
  const turn = queue.then(() => install(names, log));
  queue = turn.catch(() => undefined);
  await turn;
}

async function install(names: readonly string[], log: (line: string) => void): Promise<void> {
  const missing = await missingOf(names);
  if (missing.length === 0) return;
  log(`Installing Debian packages: ${missing.join(' ')}`);
  // A daemon that a package brings must not start: the cluster runs its own, under its own folders.
  const environment = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const lock = ['-o', 'DPkg::Lock::Timeout=300'];
  const apt = (...args: readonly string[]) =>
    execa('apt-get', [...lock, '-qq', ...args], { env: environment, all: true });
  await apt('install', '--yes', '--no-install-recommends', ...missing).catch(async () => {
    await apt('update');
    await apt('install', '--yes', '--no-install-recommends', ...missing);
  });
}

async function missingOf(names: readonly string[]): Promise<readonly string[]> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own format
  const format = '${Package} ${db:Status-Status}\\n';
  const { stdout } = await execa('dpkg-query', ['--show', `--showformat=${format}`, ...names], { reject: false });
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}
