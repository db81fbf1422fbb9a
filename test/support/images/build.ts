import { access, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../cache.ts';
import { chooseWay } from '../cluster/choose-way.ts';
import { withLock } from '../lock.ts';
import { baseReference } from './base-image.ts';
import { contentHash } from './content-hash.ts';
import { buildWithDocker } from './docker.ts';
import { buildOnHost, openStorage } from './host.ts';
import { type ImageName, type Recipe, recipeOf } from './recipe.ts';

export type { ImageName } from './recipe.ts';

export interface BuiltImage {
  readonly name: ImageName;
  /** The tag is a hash of all that goes into the image: a cluster that has it has the right one. */
  readonly reference: string;
  /** A Docker archive in the cache: `ctr images import` and `kind load image-archive` take it. */
  readonly archive: string;
}

export interface BuildOptions {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal;
}

interface Planned extends BuiltImage {
  readonly recipe: Recipe;
}

/** Builds what is not in the cache yet. Several processes may ask at once: one builds, the others then find its work. */
export async function ensureImages(names: readonly ImageName[], options: BuildOptions): Promise<readonly BuiltImage[]> {
  const way = await chooseWay();
  const planned = await Promise.all([...new Set(names)].map((name) => plan(name, way)));
  if ((await missing(planned)).length > 0) {
    await withLock(join(folder(), 'build.lock'), async () => {
      const wanted = await missing(planned);
      if (wanted.length === 0) return;
      const storage = way === 'host' ? await openStorage(options) : undefined;
      for (const image of wanted) {
        options.signal?.throwIfAborted();
        await timed(`image ${image.name}`, options, () => {
          const target = { ...image, partial: `${image.archive}.partial` };
          return storage === undefined ? buildWithDocker(target, options) : buildOnHost(target, storage, options);
        });
        await prune(image);
      }
    });
  }
  return planned.map(({ name, reference, archive }) => ({ name, reference, archive }));
}

async function plan(name: ImageName, way: 'host' | 'kind'): Promise<Planned> {
  const recipe = recipeOf(name);
  // On the host, Node and the base come from here: their versions are not in the Containerfile.
  const versions = way === 'host' ? { node: process.version, base: baseReference('trixie') } : {};
  const hash = await contentHash(recipe.inputs, { name, way, ...recipe.args, ...versions });
  return {
    name,
    recipe,
    reference: `localhost/tidemark/${name}:${hash}`,
    archive: join(folder(), `${name}@${hash}.tar`),
  };
}

async function missing(planned: readonly Planned[]): Promise<readonly Planned[]> {
  const present = await Promise.all(
    planned.map(({ archive }) =>
      access(archive).then(
        () => true,
        () => false,
      ),
    ),
  );
  return planned.filter((_, index) => present[index] === false);
}

/** The newest two archives of a name stay: another process may be about to load the one before. */
async function prune({ name }: Planned): Promise<void> {
  const archives = (await readdir(folder()))
    .filter((file) => file.startsWith(`${name}@`))
    .map((file) => join(folder(), file));
  const aged = await Promise.all(archives.map(async (path) => ({ path, modified: (await stat(path)).mtimeMs })));
  const old = aged.sort((left, right) => right.modified - left.modified).slice(2);
  await Promise.all(old.map(({ path }) => rm(path, { force: true })));
}

async function timed(what: string, { log }: BuildOptions, work: () => Promise<void>): Promise<void> {
  const begun = Date.now();
  log(`Building ${what}`);
  await mkdir(folder(), { recursive: true });
  await work();
  log(`Built ${what} in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
}

function folder(): string {
  return cacheFolder('images', 'archives');
}
