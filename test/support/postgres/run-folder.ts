import { rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

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
  await spreadOverDisk(folder);
  return folder;
}

/**
 * Each server is a thousand files that go with it, and ext4 without a journal gives the inode of none of them again for
 * minutes: it looks at each, for every new file. Told so, it puts each folder in here into another part of the disk, and a
 * server takes a fifth of the work to copy and to remove. Other file systems know no such thing, and need none.
 */
async function spreadOverDisk(folder: string): Promise<void> {
  await execa('chattr', ['+T', folder], { reject: false });
}
