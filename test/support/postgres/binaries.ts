import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureOtherRelease } from './other-releases.ts';

/** Where Debian's packages and those of apt.postgresql.org put the majors. */
export const binariesRoot = '/usr/lib/postgresql';
/** Debian 12's own. */
export const defaultMajor = 15;

export async function binFolder(major: number = defaultMajor): Promise<string> {
  const folder = join(binariesRoot, String(major), 'bin');
  if (major === 17 || major === 18) return ensureOtherRelease(`${major}`, (line) => process.stdout.write(`${line}\n`));
  await access(join(folder, 'initdb')).catch((cause: unknown) => {
    throw new Error(`PostgreSQL ${major} is not here: install the package postgresql-${major}`, { cause });
  });
  return folder;
}
