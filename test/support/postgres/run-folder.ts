import { rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where a test run has told its workers to put servers; whoever made it removes it. */
export const runFolderVariable = 'TIDEMARK_TEST_POSTGRES_FOLDER';

let own: Promise<string> | undefined;

/** The test run's folder, or, outside of one, a folder of this process that goes with it. */
export function runFolder(): Promise<string> {
  const given = process.env[runFolderVariable];
  if (given !== undefined) return Promise.resolve(given);
  own ??= makeRunFolder().then((folder) => {
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    return folder;
  });
  return own;
}

export async function makeRunFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-postgres-'));
  // The server's account must get through to its own folder.
  await chmod(folder, 0o711);
  return folder;
}
