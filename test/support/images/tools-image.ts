import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeFolder } from './app-parts.ts';
import { baseReference, ensureBaseImage } from './base-image.ts';
import { bud } from './bud.ts';
import type { BuildOptions } from './build.ts';
import type { Buildah } from './buildah.ts';
import { contentHash } from './content-hash.ts';
import { pruneImages } from './prune.ts';
import { type AppRecipe, majors, type Suite, suites } from './recipe.ts';

const base: Suite = 'trixie';

/** Everything in an app's image but the app: Node, and for the agent PostgreSQL's tools. Minutes to make, and seldom made. */
export async function ensureToolsImage(
  name: string,
  recipe: AppRecipe,
  buildah: Buildah,
  options: BuildOptions,
): Promise<string> {
  const wanted = [base, ...recipe.majors.map((major) => suites[major])];
  const facts = { ...recipe.args, node: process.version, bases: wanted.map(baseReference).join(' ') };
  const reference = `localhost/tidemark/${name}-tools:${await contentHash(recipe.toolInputs, facts)}`;
  if ((await buildah(['images', '--quiet', '--filter', `reference=${reference}`])) !== '') return reference;

  await Promise.all([...new Set(wanted)].map((suite) => ensureBaseImage(suite, buildah, options)));
  options.log(
    `Making the tools of the ${name} image${recipe.majors.length > 0 ? `: PostgreSQL ${recipe.majors.join(', ')}` : ''}`,
  );
  const empty = await mkdtemp(join(tmpdir(), 'tidemark-empty-'));
  await mkdir(join(empty, 'opt/postgresql'), { recursive: true });
  const unwanted = majors.filter((major) => !recipe.majors.includes(major));
  const contexts = { node: await nodeFolder(), ...Object.fromEntries(unwanted.map((major) => [`pg${major}`, empty])) };
  const bases = recipe.majors.map((major) => [`PG${major}_BASE`, baseReference(suites[major])]);
  const args = { BASE: baseReference(base), ...Object.fromEntries(bases) };
  await bud(buildah, { recipe, reference, target: 'tools', args, contexts }, options).finally(() =>
    rm(empty, { recursive: true }),
  );
  await pruneImages(reference, buildah);
  return reference;
}
