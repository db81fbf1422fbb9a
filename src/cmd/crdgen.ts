import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { crdFiles, crdFolders } from '../api/crd-files.ts';

/** Writes the CustomResourceDefinitions, plain and as the chart's templates; with --check says what would change. */
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const root = join(import.meta.dirname, '../..');

const wanted = crdFiles();
const present = await presentFiles();
const paths = [...new Set([...wanted.keys(), ...present.keys()])];
const drifted = paths.filter((path) => wanted.get(path) !== present.get(path));

if (values.check) {
  for (const path of drifted) process.stderr.write(`${path} ${difference(present.get(path), wanted.get(path))}\n`);
  if (drifted.length > 0) process.stderr.write('Run `npm run crdgen` and commit what it writes.\n');
  process.exitCode = drifted.length === 0 ? 0 : 1;
} else {
  for (const path of drifted) await put(path, wanted.get(path));
  process.stdout.write(`${wanted.size} files, ${drifted.length} changed\n`);
}

async function presentFiles(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const folder of crdFolders) {
    const names = await readdir(join(root, folder)).catch(() => []);
    for (const name of names) found.set(`${folder}/${name}`, await readFile(join(root, folder, name), 'utf8'));
  }
  return found;
}

async function put(path: string, content: string | undefined): Promise<void> {
  if (content === undefined) return await rm(join(root, path));
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

function difference(present: string | undefined, wanted: string | undefined): string {
  if (present === undefined) return 'is missing';
  if (wanted === undefined) return 'belongs to no kind';
  const [old, now] = [present.split('\n'), wanted.split('\n')];
  const at = old.findIndex((line, number) => line !== now[number]);
  return `differs from the schemas at line ${at + 1}\n- ${old[at] ?? ''}\n+ ${now[at] ?? ''}`;
}
