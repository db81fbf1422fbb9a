import { access, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../cache.ts';
import { chooseWay, type Way } from '../cluster/choose-way.ts';
import { withLock } from '../lock.ts';
import { baseReference } from './base-image.ts';
import type { Buildah } from './buildah.ts';
import { contentHash } from './content-hash.ts';
import { buildWithDocker } from './docker.ts';
import { buildOnHost, openStorage } from './host.ts';
import type { ImageName, Recipe } from './recipe.ts';
import { currentRecipe, isDue, needsUpdates } from './updates.ts';

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
  const unique = [...new Set(names)];
  const planned = await Promise.all(unique.map((name) => plan(name, way)));
  const present = await Promise.all(planned.map(({ archive }) => exists(archive)));
  const due = (await Promise.all(unique.map(isDue))).some(Boolean);
  if (present.every(Boolean) && !due) return planned.map(withoutRecipe);
  return await withLock(join(folder(), 'build.lock'), async () => {
    let storage: Buildah | undefined;
    const built: BuiltImage[] = [];
    const ensure = async (name: ImageName) => {
      options.signal?.throwIfAborted();
      let image = await plan(name, way);
      while (!(await exists(image.archive))) {
        if (way === 'host') storage ??= await openStorage(options);
        await build(image, storage, options);
        image = await replan(image, way, options);
      }
      return image;
    };
    for (const name of unique) {
      let image = await ensure(name);
      if ((await isDue(name)) && (await needsUpdates(name, image.archive, options))) image = await ensure(name);
      built.push(withoutRecipe(image));
      await prune(image);
    }
    return built;
  });
}

async function plan(name: ImageName, way: Way): Promise<Planned> {
  const recipe = await currentRecipe(name);
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

async function build(image: Planned, storage: Buildah | undefined, options: BuildOptions): Promise<void> {
  const begun = Date.now();
  options.log(`Building image ${image.name}`);
  await mkdir(folder(), { recursive: true });
  const target = { ...image, partial: `${image.archive}.partial` };
  await (storage === undefined ? buildWithDocker(target, options) : buildOnHost(target, storage, options));
  options.log(`Built image ${image.name} in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
}

/** A tag must not stand for other content than it was made of: what changed while it was built is built again. */
async function replan(image: Planned, way: Way, { log }: BuildOptions): Promise<Planned> {
  const now = await plan(image.name, way);
  if (now.reference !== image.reference) {
    log(`The sources of image ${image.name} changed while it was built`);
    await rm(image.archive, { force: true });
  }
  return now;
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

function withoutRecipe({ name, reference, archive }: Planned): BuiltImage {
  return { name, reference, archive };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function folder(): string {
  return cacheFolder('images', 'archives');
}
