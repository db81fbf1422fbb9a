import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { projectRoot } from '../support/images/project-root.ts';

/** A program as an image holds it, one bundle of its source and packages, in this folder; gives its path. */
export async function bundle(program: string, folder: string): Promise<string> {
  const rolldown = join(projectRoot, 'node_modules/.bin/rolldown');
  await execa(rolldown, [program, '--dir', folder, '--platform', 'node', '--format', 'esm'], { cwd: projectRoot });
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  return join(folder, basename(program).replace(/\.ts$/, '.js'));
}
