import { access, chmod, mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../cache.ts';
import { ensureDebianPackages } from '../cluster/packages.ts';
import { hostMirrors } from '../images/base-image.ts';
import { type Major, suites } from '../images/recipe.ts';
import { withLock } from '../lock.ts';

/** The server's account must get there, which it does not into the home of root. */
export const otherReleasesRoot =
  process.getuid?.() === 0 ? '/var/cache/tidemark/postgresql' : cacheFolder('postgresql');

/** What takes much room and what no test runs: code that is compiled at run time. */
const unwanted = ['usr/share/doc', 'usr/share/man', 'usr/share/perl', 'usr/share/locale', 'usr/lib/*/libLLVM*'];

/**
 * A PostgreSQL of another release of Debian than the host's, unpacked beside it with all its libraries, its dynamic loader
 * too: PostgreSQL finds its own files from where its programs are. Gives the folder of its programs.
 */
export async function ensureOtherRelease(major: Major, log: (line: string) => void): Promise<string> {
  const home = join(otherReleasesRoot, major);
  const bin = join(home, 'bin');
  if (await isThere(bin)) return bin;
  await mkdir(otherReleasesRoot, { recursive: true });
  if (process.getuid?.() === 0) await chmod(dirname(otherReleasesRoot), 0o755);
  await withLock(`${home}.lock`, async () => {
    if (await isThere(bin)) return;
    log(`Unpacking PostgreSQL ${major} of Debian ${suites[major]}`);
    await ensureDebianPackages(['mmdebstrap', 'patchelf'], log);
    const draft = await mkdtemp(`${home}.new-`);
    try {
      await unpack(major, draft);
      // Of one that was killed on its way.
      await rm(home, { recursive: true, force: true });
      // The programs name their libraries by the folder that they end up in.
      await rename(draft, home);
      await bindLibraries(major, home);
      await symlink(join('usr/lib/postgresql', major, 'bin'), bin);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  });
  return bin;
}

async function unpack(major: Major, folder: string): Promise<void> {
  const suite = suites[major];
  const { main, security } = await hostMirrors();
  if (main === undefined)
    throw new Error('apt has no mirror of Debian here. Name one in /etc/apt, and run apt-get update.');
  const updates = security === undefined || suite === 'sid' ? [] : [`deb ${security} ${suite}-security main`];
  const options = ['--variant=extract', `--include=postgresql-${major}`, '--aptopt=Acquire::Check-Valid-Until "false"'];
  await execa('mmdebstrap', [...options, suite, folder, `deb ${main} ${suite} main`, ...updates], { all: true });
  await execa('sh', ['-c', `cd "$1" && rm -rf ${unwanted.join(' ')}`, 'sh', folder]);
  await execa('sh', [
    '-c',
    'rm -rf "$1"/llvmjit* "$1"/bitcode',
    'sh',
    join(folder, 'usr/lib/postgresql', major, 'lib'),
  ]);
  await chmod(folder, 0o755);
}

async function bindLibraries(major: Major, home: string): Promise<void> {
  const { stdout: loader } = await execa('sh', ['-c', 'ls "$1"/usr/lib/*/ld-linux*.so.*', 'sh', home]);
  const libraries = dirname(loader);
  const programs = join(home, 'usr/lib/postgresql', major, 'bin');
  for (const name of await readdir(programs)) {
    const own = ['--set-interpreter', loader, '--force-rpath', '--set-rpath', libraries];
    await execa('patchelf', [...own, join(programs, name)]);
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
