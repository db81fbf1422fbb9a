import { access, chmod, cp, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../cache.ts';
import { contentHash } from './content-hash.ts';
import { projectRoot } from './project-root.ts';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/**
 * Folders that stand in for the stages "node", "licences" and "dist" of the Containerfiles, made from what the project has
 * installed: no download, and the very packages that the tests run with. Each is kept by the hash of what it is made from.
 */
export async function nodeFolder(): Promise<string> {
  return await ensureFolder(`node-${process.version}`, async (folder) => {
    const binary = join(folder, 'usr/local/bin/node');
    await mkdir(dirname(binary), { recursive: true });
    await cp(process.execPath, binary);
    await chmod(binary, 0o755);
  });
}

export async function licencesFolder(): Promise<string> {
  const hash = await contentHash(['package.json', 'node_modules/.package-lock.json', 'images/licences.sh']);
  return await ensureFolder(`licences-${hash}`, async (folder) => {
    const script = join(projectRoot, 'images/licences.sh');
    for (const path of await productionPackages())
      await execa('sh', [
        script,
        join(projectRoot, path),
        join(folder, 'licences', path.slice('node_modules/'.length)),
      ]);
  });
}

export async function distFolder(): Promise<string> {
  const hash = await contentHash(['src', 'package.json', 'package-lock.json']);
  return await ensureFolder(`dist-${hash}`, async (folder) => {
    const output = join(folder, 'build/dist');
    const bundled = await execa('npm', ['run', 'build', '--', '--dir', output], {
      cwd: projectRoot,
      reject: false,
      all: true,
    });
    if (bundled.failed) throw new Error(`The source cannot be bundled, so no image can be made of it:\n${bundled.all}`);
  });
}

/** The folders of the packages that the product needs at run time, found as Node finds them. */
async function productionPackages(): Promise<readonly string[]> {
  const found = new Set<string>();
  const visit = async (folder: string): Promise<void> => {
    const manifest = JSON.parse(await readFile(join(projectRoot, folder, 'package.json'), 'utf8')) as Manifest;
    const needed = Object.keys({ ...manifest.dependencies });
    const welcome = Object.keys({ ...manifest.optionalDependencies, ...manifest.peerDependencies });
    for (const name of new Set([...needed, ...welcome])) {
      const place = await installedPlace(name, folder);
      if (place === undefined && needed.includes(name) && !welcome.includes(name)) {
        throw new Error(`The package ${name}, which ${folder} needs, is not installed. Run: npm ci`);
      }
      if (place === undefined || found.has(place)) continue;
      found.add(place);
      await visit(place);
    }
  };
  await visit('.');
  return [...found].sort();
}

async function installedPlace(name: string, from: string): Promise<string | undefined> {
  for (let folder = from; ; folder = dirname(folder)) {
    const place = join(folder, 'node_modules', name);
    if (await exists(join(projectRoot, place, 'package.json'))) return place;
    if (folder === '.') return undefined;
  }
}

async function ensureFolder(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = cacheFolder('images', 'parts', name);
  if (await exists(folder)) return folder;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await make(partial);
  await rename(partial, folder);
  await prune(name);
  return folder;
}

/** The newest two of a sort stay: one for each of two checkouts. Whatever is half-made by now was given up. */
async function prune(name: string): Promise<void> {
  const sort = name.slice(0, name.indexOf('-') + 1);
  const parts = cacheFolder('images', 'parts');
  const alike = (await readdir(parts)).filter((other) => other.startsWith(sort)).map((other) => join(parts, other));
  const whole = alike.filter((path) => !path.endsWith('.partial'));
  const aged = await Promise.all(whole.map(async (path) => ({ path, made: (await stat(path)).ctimeMs })));
  const old = aged
    .sort((left, right) => right.made - left.made)
    .slice(2)
    .map(({ path }) => path);
  const halves = alike.filter((path) => !whole.includes(path));
  await Promise.all([...old, ...halves].map((path) => rm(path, { recursive: true, force: true })));
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
