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
 * Folders that stand in for the stages "node", "modules" and "dist" of the Containerfiles, made from what the project has
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

export async function modulesFolder(): Promise<string> {
  const hash = await contentHash(['package.json', 'node_modules/.package-lock.json', 'images/strip-modules.sh']);
  return await ensureFolder(`modules-${hash}`, async (folder) => {
    const modules = join(folder, 'modules');
    for (const path of await productionPackages()) await copyPackage(path, join(modules, path));
    await execa('sh', [join(projectRoot, 'images/strip-modules.sh'), join(modules, 'node_modules')]);
  });
}

export async function distFolder(): Promise<string> {
  const hash = await contentHash(['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']);
  return await ensureFolder(`dist-${hash}`, async (folder) => {
    // Types are the business of `npm run typecheck`; not to check them here saves seconds after each change.
    const compiler = join(projectRoot, 'node_modules/.bin/tsc');
    const output = join(folder, 'build/dist');
    const compiled = await execa(compiler, ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', output], {
      cwd: projectRoot,
      reject: false,
      all: true,
    });
    if (compiled.failed)
      throw new Error(`The source does not compile, so no image can be made of it:\n${compiled.all}`);
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

async function copyPackage(path: string, target: string): Promise<void> {
  const source = join(projectRoot, path);
  // Packages within a package have entries of their own.
  await cp(source, target, { recursive: true, filter: (file) => !file.slice(source.length).includes('/node_modules') });
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
