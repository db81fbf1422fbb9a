import { realpath } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { Failure, terminal } from '../domain/failure.ts';

/** Files being written; no key begins a segment like this. */
export const temporaryPrefix = '.tmp-';

const segment = /^(?!\.tmp-)(?!\.{1,2}$)[^/\\\0]+$/;

/** The file of a key under a root; refuses what would lie outside it or among the temporary files. */
export function filePath(root: string, key: string): string {
  if (key.split('/').every((part) => segment.test(part))) return join(root, ...key.split('/'));
  throw badKey(root, key);
}

/** The folder of a prefix, which is '' or ends in '/'. */
export function folderPath(root: string, prefix: string): string {
  if (prefix === '') return root;
  if (!prefix.endsWith('/')) throw badKey(root, prefix);
  return filePath(root, prefix.slice(0, -1));
}

/** A symbolic link in the volume must not lead out of it: checks where the folder of a file really is. */
export async function requireInside(root: string, file: string): Promise<void> {
  const [realRoot, folder] = await Promise.all([realpath(root), realpath(dirname(file))]);
  if (folder === realRoot || folder.startsWith(realRoot + sep)) return;
  throw terminal(
    'InvalidKey',
    `${file} lies outside the repository: a symbolic link leads out of it. Remove the link.`,
  );
}

function badKey(root: string, key: string): Failure {
  return new Failure('InvalidKey', `${JSON.stringify(key)} cannot be a name in the repository ${root}.`, {
    retryable: false,
  });
}
