import { chmod, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { bundle } from '../bench/bundle.ts';
import { projectRoot } from './images/project-root.ts';
import { runFolder } from './postgres/run-folder.ts';

const made = new Map<string, Promise<string>>();

/**
 * A program of the tests with all that it imports as one file, as the images hold the agent: it starts with a third of the
 * work. Made by whoever needs it first in this test run. Every account may run it; it must not look beside itself for files.
 */
export function bundled(program: string): Promise<string> {
  const running = made.get(program) ?? bundleOnce(program);
  made.set(program, running);
  return running;
}

async function bundleOnce(program: string): Promise<string> {
  const folder = await runFolder();
  const place = join(folder, `program-${relative(projectRoot, program).replaceAll(/[^A-Za-z0-9.-]+/g, '-')}`);
  const start = join(place, 'start.mjs');
  if (await exists(start)) return start;
  const draft = await mkdtemp(join(folder, 'draft-'));
  const file = basename(await bundle(program, draft));
  const compiled = await compileCache(folder);
  // Said by the program itself, since some get an environment of their own.
  const lines = [
    "import { enableCompileCache } from 'node:module';",
    `enableCompileCache(${JSON.stringify(compiled)});`,
    `await import(${JSON.stringify(`./${file}`)});`,
  ];
  await writeFile(join(draft, basename(start)), `${lines.join('\n')}\n`);
  await chmod(draft, 0o755);
  // Whole or not at all; where somebody was quicker, theirs is taken.
  await rename(draft, place).catch(() => rm(draft, { recursive: true }));
  return start;
}

/** Each account has a part of its own in it. */
async function compileCache(folder: string): Promise<string> {
  const place = join(folder, 'compiled');
  await mkdir(place, { recursive: true });
  await chmod(place, 0o1777);
  return place;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
