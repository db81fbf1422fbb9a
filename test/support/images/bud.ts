import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { hostCertificates } from './base-image.ts';
import type { BuildOptions } from './build.ts';
import type { Buildah } from './buildah.ts';
import { projectRoot } from './project-root.ts';
import type { Recipe } from './recipe.ts';

interface Build {
  readonly recipe: Recipe;
  readonly reference: string;
  readonly target?: string;
  readonly args?: Readonly<Record<string, string>>;
  /** What takes the place of a stage: a folder, or `container-image://REFERENCE`. */
  readonly contexts?: Readonly<Record<string, string>>;
  readonly layers?: boolean;
}

/** `buildah bud` of a recipe's Containerfile, which needs neither a container runtime nor a network of its own. */
export async function bud(buildah: Buildah, build: Build, { signal }: BuildOptions): Promise<void> {
  const { recipe, reference, target, contexts = {}, layers = false } = build;
  const containerfile = join(projectRoot, recipe.containerfile);
  const ignore = `${containerfile}.dockerignore`;
  await buildah(
    [
      ...[
        'bud',
        '--isolation',
        'chroot',
        '--network',
        'host',
        '--jobs',
        '2',
        '--tag',
        reference,
        '--file',
        containerfile,
      ],
      ...((await exists(ignore)) ? ['--ignorefile', ignore] : []),
      ...((await exists(hostCertificates.host))
        ? ['--volume', `${hostCertificates.host}:${hostCertificates.build}:ro`]
        : []),
      ...(target === undefined ? [] : ['--target', target]),
      ...(layers ? ['--layers'] : []),
      ...Object.entries({ ...recipe.args, ...build.args }).flatMap(([key, value]) => [
        '--build-arg',
        `${key}=${value}`,
      ]),
      ...Object.entries(contexts).flatMap(([key, value]) => ['--build-context', `${key}=${value}`]),
      join(projectRoot, recipe.context),
    ],
    { signal },
  );
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
