import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { BuildOptions } from './build.ts';
import { projectRoot } from './project-root.ts';
import type { ImageName, Recipe } from './recipe.ts';

export interface Target {
  readonly name: ImageName;
  readonly recipe: Recipe;
  readonly reference: string;
  readonly archive: string;
  readonly partial: string;
}

/** The Containerfile as anybody builds it; Docker keeps its own cache of the stages. */
export async function buildWithDocker(
  { recipe, reference, archive, partial }: Target,
  { signal }: BuildOptions,
): Promise<void> {
  const args = Object.entries(recipe.args).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
  const options = { cwd: projectRoot, ...(signal === undefined ? {} : { cancelSignal: signal }) };
  const containerfile = ['--file', join(projectRoot, recipe.containerfile)];
  await execa('docker', ['build', ...containerfile, '--tag', reference, ...args, join(projectRoot, recipe.context)], {
    ...options,
    env: { DOCKER_BUILDKIT: '1' },
  });
  await rm(partial, { force: true });
  await execa('docker', ['save', '--output', partial, reference], options);
  await rename(partial, archive);
}
