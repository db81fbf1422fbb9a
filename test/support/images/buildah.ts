import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { cacheFolder } from '../cache.ts';

/** buildah with a storage of the project's own, in the cache: the host's images and settings are not touched. */
export type Buildah = (
  args: readonly string[],
  options?: { readonly signal?: AbortSignal | undefined },
) => Promise<string>;

const root = () => cacheFolder('images', 'storage');
const logFile = () => cacheFolder('images', 'build.log');

/** To be called by the holder of the build lock alone: it clears away what a killed build left behind. */
export async function openBuildah(): Promise<Buildah> {
  await mkdir(root(), { recursive: true });
  const driver = await chooseDriver();
  const buildah: Buildah = async (args, { signal } = {}) => {
    await appendFile(logFile(), `\n${new Date().toISOString()} buildah ${args.join(' ')}\n`);
    const result = await execa('buildah', [...driver, ...args], {
      all: true,
      reject: false,
      ...(signal === undefined ? {} : { cancelSignal: signal }),
      env: { TERM: 'dumb' },
    });
    await appendFile(logFile(), `${result.all}\n`);
    signal?.throwIfAborted();
    if (result.failed) throw new Error(await failure(args));
    return result.stdout;
  };
  await buildah(['rm', '--all']);
  return buildah;
}

/** Overlay where the kernel lets the cache's file system carry it, else plain copies, which work everywhere and are slow. */
async function chooseDriver(): Promise<readonly string[]> {
  const places = ['--root', root(), '--runroot', cacheFolder('images', 'run')];
  // Without the option a mount of the storage upon itself would stay after each build.
  const overlay = [...places, '--storage-driver', 'overlay', '--storage-opt', 'overlay.skip_mount_home=true'];
  const tried = await execa('buildah', [...overlay, 'info'], { reject: false });
  return tried.failed ? [...places, '--storage-driver', 'vfs'] : overlay;
}

async function failure(args: readonly string[]): Promise<string> {
  const lines = (await readFile(logFile(), 'utf8')).trimEnd().split('\n').slice(-30);
  return `buildah ${args[0]} failed; all of its output is in ${logFile()}, and this is its end:\n${lines.join('\n')}`;
}
