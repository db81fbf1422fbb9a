import type { BackupPolicy, BackupRepository } from '../api/kinds.ts';
import { withoutIdentity } from '../domain/encryption.ts';
import { missingForPolicy, notImplementedMessage } from '../domain/not-implemented.ts';
import type { BackupTask, RepositoryTask } from '../domain/task.ts';
import { missing, type Refusal, refused } from './refusal.ts';

interface Parts {
  readonly policy: Pick<BackupPolicy, 'metadata' | 'spec'>;
  /** In the order of spec.repositoryRefs; undefined where the object does not exist. */
  readonly repositories: readonly (BackupRepository | undefined)[];
  readonly hosts: readonly string[] | Refusal;
  readonly method: BackupTask['method'];
  /** Default: Full. */
  readonly type?: BackupTask['type'];
}

/** What an agent is told to back up, the same for a schedule and for a person; or why it cannot be. */
export function backupTask({ policy, repositories, hosts, method, type = 'Full' }: Parts): BackupTask | Refusal {
  const { metadata, spec } = policy;
  const absent = missingForPolicy(spec);
  if (absent.length > 0) return refused('NotImplemented', notImplementedMessage(absent));
  const chosen = repositoryTasks(metadata.namespace, spec.repositoryRefs, repositories);
  if (!isList(chosen)) return chosen;
  if (!isList(hosts)) return hosts;
  const { source, logical, physical, compression, jobTemplate } = spec;
  return {
    action: 'backup',
    namespace: metadata.namespace,
    policy: { name: metadata.name, uid: metadata.uid },
    method,
    type,
    server: {
      hosts: [...hosts],
      port: source.port,
      database: source.database,
      role: source.role,
      ...(source.tls === undefined ? {} : { tls: source.tls }),
      credentialsSecretName: source.credentialsSecretRef.name,
    },
    repositories: [...chosen],
    logical,
    physical,
    compression,
    deadlineSeconds: jobTemplate.activeDeadlineSeconds,
  };
}

/**
 * Repositories that backups may be written to; `accessMode: ReadOnly` and what is not there yet are refused. Only who
 * reads is told where the identities are.
 */
export function repositoryTasks(
  namespace: string,
  refs: readonly { readonly name: string }[],
  repositories: readonly (BackupRepository | undefined)[],
  access: 'write' | 'read' = 'write',
): readonly RepositoryTask[] | Refusal {
  const tasks: RepositoryTask[] = [];
  for (const [index, { name }] of refs.entries()) {
    const repository = repositories[index];
    if (repository === undefined)
      return missing(
        'RepositoryNotFound',
        `BackupRepository ${namespace}/${name} does not exist. Create it, or correct the reference.`,
      );
    if (access === 'write' && repository.spec.accessMode === 'ReadOnly') {
      return refused(
        'RepositoryReadOnly',
        `BackupRepository ${name} has accessMode: ReadOnly, so nothing may be written to it. Use another one, or set ReadWrite.`,
      );
    }
    tasks.push({ name, spec: access === 'write' ? withoutIdentity(repository.spec) : repository.spec });
  }
  return tasks;
}

export function isList<Item>(value: readonly Item[] | Refusal): value is readonly Item[] {
  return Array.isArray(value);
}
