import { terminal } from '../domain/failure.ts';

/** Files being written; no key begins a segment like this. */
export const temporaryPrefix = '.tmp-';

const segment = /^(?!\.tmp-)(?!\.{1,2}$)[^/\\\0]+$/;

/** Refuses what would lie outside the remote's path or among the temporary files. */
export function keyOf(key: string): string {
  if (key.split('/').every((part) => segment.test(part))) return key;
  throw terminal('InvalidKey', `${JSON.stringify(key)} cannot be a name in a repository.`);
}

/** The folder of a prefix, which is '' or ends in '/'. */
export function folderOf(prefix: string): string {
  if (prefix === '') return '';
  if (!prefix.endsWith('/')) throw terminal('InvalidKey', `${JSON.stringify(prefix)} is no folder of a repository.`);
  return keyOf(prefix.slice(0, -1));
}

/** '' for a key at the top. */
export function parentOf(key: string): string {
  const at = key.lastIndexOf('/');
  return at < 0 ? '' : key.slice(0, at);
}
