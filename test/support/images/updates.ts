import { mkdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cacheFolder } from '../cache.ts';
import type { BuildOptions, ImageName } from './build.ts';
import { packagesOf } from './debian-packages.ts';
import { type Recipe, recipeOf } from './recipe.ts';
import { pendingUpdates } from './security-updates.ts';

const day = 86_400_000;

/**
 * The recipe, and for which updates its packages were last fetched anew: a part of what decides the image's tag, so that
 * an image of the cache that Debian has mended meanwhile is built again, and any other is not.
 */
export async function currentRecipe(name: ImageName): Promise<Recipe> {
  const recipe = recipeOf(name);
  if (recipe.kind !== 'app') return recipe;
  const updates = await readFile(recordOf(name, recipe), 'utf8').catch(() => '');
  return updates === '' ? recipe : { ...recipe, args: { ...recipe.args, UPDATES: updates } };
}

/** Once a day, for what is released; what only tests use is left alone. */
export async function isDue(name: ImageName): Promise<boolean> {
  const recipe = recipeOf(name);
  if (recipe.kind !== 'app') return false;
  const looked = await stat(recordOf(name, recipe)).catch(() => undefined);
  return looked === undefined || Date.now() - looked.mtimeMs > day;
}

/** Whether the image waits for updates, and so has to be built again. A mirror that is away keeps nobody from working. */
export async function needsUpdates(name: ImageName, archive: string, { log }: BuildOptions): Promise<boolean> {
  const record = recordOf(name, recipeOf(name));
  try {
    const pending = await pendingUpdates(await packagesOf(archive));
    await mkdir(dirname(record), { recursive: true });
    const words = pending.map(({ name: of, newer, suite }) => `${of}=${newer}/${suite}`).sort();
    if (words.length > 0) {
      log(`Image ${name} is made again, for updates of Debian: ${words.join(', ')}`);
      await writeFile(`${record}.partial`, words.join(' '));
      await rename(`${record}.partial`, record);
      return true;
    }
    await writeFile(record, '', { flag: 'a' });
    await utimes(record, new Date(), new Date());
  } catch (error) {
    log(`Whether Debian has updates for image ${name} is not known: ${String(error).split('\n')[0]}`);
  }
  return false;
}

function recordOf(name: ImageName, { args }: Recipe): string {
  return cacheFolder('images', 'updates', [name, args['PG_MAJORS'] ?? ''].join(' ').trim().replaceAll(' ', '-'));
}
