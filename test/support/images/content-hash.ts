import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from './project-root.ts';

/** Twelve hexadecimal digits that change with the content of these files and folders (of the project) and with the facts. */
export async function contentHash(
  paths: readonly string[],
  facts: Readonly<Record<string, string>> = {},
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(Object.entries(facts).sort()));
  const files = (await Promise.all(paths.map(filesOf))).flat().sort();
  for (const file of files) {
    hash.update(`\0${file}\0`).update(await readFile(join(projectRoot, file)));
  }
  return hash.digest('hex').slice(0, 12);
}

async function filesOf(path: string): Promise<readonly string[]> {
  const absolute = join(projectRoot, path);
  if (!(await stat(absolute)).isDirectory()) return [path];
  const entries = await readdir(absolute, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(path, entry.parentPath.slice(absolute.length), entry.name));
}
