import type { BackupRepository } from '../api/kinds.ts';
import { encryptionOf, sameEncryption } from '../domain/encryption.ts';
import type { RepositoryTask } from '../domain/task.ts';
import { isList, repositoryTasks } from './backup-task.ts';

/**
 * The other repositories that a pod reads beside the first: those that are there, and that one set of identities opens.
 * One that cannot be read is no reason not to read the first.
 */
export function readTogether(
  first: RepositoryTask,
  namespace: string,
  refs: readonly { readonly name: string }[],
  find: (name: string) => BackupRepository | undefined,
): readonly RepositoryTask[] {
  const others = refs.flatMap((ref) => {
    const tasks = repositoryTasks(namespace, [ref], [find(ref.name)], 'read');
    return isList(tasks) ? tasks : [];
  });
  const encrypted = [first, ...others].map(({ spec }) => encryptionOf(spec)).find((each) => each !== undefined);
  return others.filter(({ spec }) => {
    const own = encryptionOf(spec);
    return own === undefined || sameEncryption(own, encrypted);
  });
}
