import { chmod, cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureDebianPackages } from '../cluster/packages.ts';
import { ensureTool } from '../cluster/tools.ts';
import { distFolder, licencesFolder } from './app-parts.ts';
import { ensureBaseImage } from './base-image.ts';
import { bud } from './bud.ts';
import type { BuildOptions } from './build.ts';
import { type Buildah, openBuildah } from './buildah.ts';
import type { Target } from './docker.ts';
import { pruneImages } from './prune.ts';
import type { AppRecipe } from './recipe.ts';
import { ensureToolsImage } from './tools-image.ts';

/** Makes sure of the programs that build on a host without Docker, and opens the storage. Needs the build lock. */
export async function openStorage({ log }: BuildOptions): Promise<Buildah> {
  await ensureDebianPackages(['buildah', 'mmdebstrap'], log);
  return await openBuildah();
}

/** The same Containerfiles, with bases, Node and the compiled source from this host in place of a registry's. */
export async function buildOnHost(target: Target, buildah: Buildah, options: BuildOptions): Promise<void> {
  const { recipe, reference, archive, partial } = target;
  switch (recipe.kind) {
    case 'app':
      await buildApp(recipe, target, buildah, options);
      break;
    case 'postgres':
      await bud(
        buildah,
        { recipe, reference, args: { BASE: await ensureBaseImage(recipe.suite, buildah, options) } },
        options,
      );
      break;
    case 's3': {
      const folder = await versitygwFolder(options);
      await bud(buildah, { recipe, reference, contexts: { versitygw: folder } }, options).finally(() =>
        rm(folder, { recursive: true }),
      );
      break;
    }
  }
  await rm(partial, { force: true });
  await buildah(['push', '--quiet', reference, `docker-archive:${partial}:${reference}`], options);
  await rename(partial, archive);
  await pruneImages(reference, buildah);
}

async function buildApp(
  recipe: AppRecipe,
  { name, reference }: Target,
  buildah: Buildah,
  options: BuildOptions,
): Promise<void> {
  const tools = await ensureToolsImage(name, recipe, buildah, options);
  const contexts = { tools: `container-image://${tools}`, licences: await licencesFolder(), dist: await distFolder() };
  // In layers: the packages' is the same from one change of the source to the next.
  await bud(buildah, { recipe, reference, contexts, layers: true }, options);
}

async function versitygwFolder(options: BuildOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-s3-'));
  const binary = join(folder, 'go/bin/versitygw');
  await mkdir(dirname(binary), { recursive: true });
  await cp(await ensureTool('versitygw', options), binary);
  await chmod(binary, 0o755);
  return folder;
}
