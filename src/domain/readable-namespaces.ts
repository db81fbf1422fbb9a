import type { BackupRepositorySpec } from '../api/backup-repository.ts';
import { type Failure, terminal } from './failure.ts';

/**
 * Whose backups may be read out of a repository: those of the namespace that it is in, and those that it names itself. A
 * bucket may be shared, and who may ask for a restore here is not for that one who may see what others keep there.
 */
export function readableNamespaces(own: string, { catalogue }: BackupRepositorySpec): readonly string[] {
  return [...new Set([own, ...(catalogue?.namespaces ?? [])])];
}

/** Of a namespace that is not among them. */
export function foreignNamespace(repository: string, namespace: string): string {
  return `The backups of the namespace ${namespace} in the BackupRepository ${repository} are not for this namespace to read. If they are meant to be, whoever rules the BackupRepository says so: spec.catalogue.namespaces: [${namespace}].`;
}

export function refuseForeign(
  repository: { readonly name: string; readonly spec: BackupRepositorySpec },
  own: string,
  namespace: string,
): Failure | undefined {
  if (readableNamespaces(own, repository.spec).includes(namespace)) return undefined;
  return terminal('ForeignNamespace', foreignNamespace(repository.name, namespace));
}
