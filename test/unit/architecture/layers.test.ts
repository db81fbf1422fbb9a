import { readdir, readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

/** docs/architecture.md: a layer may import itself and what stands left of it; siblings in one layer stay apart where said. */
const layers: readonly (readonly string[])[] = [
  ['api'],
  ['domain'],
  ['kube', 'postgres', 'repository', 'stream', 'observability'],
  ['controllers', 'agent', 'kubectl'],
  ['cmd'],
];
const apart: readonly (readonly [string, string])[] = [
  ['controllers', 'agent'],
  ['agent', 'controllers'],
  // A person's terminal has nothing but the API server.
  ...['controllers', 'agent', 'postgres', 'repository', 'stream'].map((layer) => ['kubectl', layer] as const),
  ['controllers', 'kubectl'],
  ['agent', 'kubectl'],
];
const impure = new Set([
  'fs',
  'net',
  'http',
  'https',
  'http2',
  'child_process',
  'tls',
  'dns',
  'worker_threads',
  'cluster',
  'os',
]);

interface Import {
  readonly file: string;
  readonly specifier: string;
}

describe('the layers of src', async () => {
  const files = (await readdir('src', { recursive: true }))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src', name));
  const imports = (await Promise.all(files.map(importsOf))).flat();

  test('are read: every folder of src is a layer, and imports were found in most files', () => {
    const folders = new Set(files.map(folderOf));
    expect([...folders].sort()).toEqual(layers.flat().sort());
    expect(imports.length).toBeGreaterThan(files.length);
  });

  test('import themselves and what stands left of them', () => {
    const wrong = imports.filter(({ file, specifier }) => {
      const [from, to] = [folderOf(file), targetFolder(file, specifier)];
      return to !== undefined && (rank(to) > rank(from) || apart.some(([a, b]) => a === from && b === to));
    });
    expect(wrong).toEqual([]);
  });

  test('api and domain are pure: no files, no sockets, no processes', () => {
    const wrong = imports.filter(
      ({ file, specifier }) =>
        rank(folderOf(file)) <= 1 && impure.has(specifier.replace(/^node:/, '').split('/')[0] ?? ''),
    );
    expect(wrong).toEqual([]);
  });

  test('import nothing of the tests, and no package that is only there for development', async () => {
    const { dependencies } = JSON.parse(await readFile('package.json', 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const known = new Set([...Object.keys(dependencies), ...builtinModules.flatMap((name) => [name, `node:${name}`])]);
    const wrong = imports.filter(({ file, specifier }) =>
      specifier.startsWith('.')
        ? !normalize(join(dirname(file), specifier)).startsWith('src/')
        : !known.has(packageOf(specifier)),
    );
    expect(wrong).toEqual([]);
  });

  test('hold no circle of imports that are there at run time', () => {
    const graph = new Map(
      files.map((file) => [
        file,
        imports
          .filter((one) => one.file === file && one.specifier.startsWith('.'))
          .map(({ specifier }) => normalize(join(dirname(file), specifier))),
      ]),
    );
    expect(circles(graph)).toEqual([]);
  });
});

async function importsOf(file: string): Promise<readonly Import[]> {
  const source = (await readFile(file, 'utf8')).replaceAll(/^import type .*?;$/gms, '');
  const found = source.matchAll(/^(?:import|export)\s[^;]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gms);
  return [...found].map((match) => ({ file, specifier: match[1] ?? match[2] ?? match[3] ?? '' }));
}

function folderOf(file: string): string {
  return file.split('/')[1] ?? '';
}

function targetFolder(file: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? folderOf(normalize(join(dirname(file), specifier))) : undefined;
}

function rank(folder: string): number {
  return layers.findIndex((names) => names.includes(folder));
}

function packageOf(specifier: string): string {
  return specifier.startsWith('@')
    ? specifier.split('/').slice(0, 2).join('/')
    : specifier.startsWith('node:')
      ? specifier
      : (specifier.split('/')[0] ?? '');
}

/** Each circle once, from the file at which the search met itself. */
function circles(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) {
      found.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}
