import type { BackupPolicy, BackupRepository } from '../api/kinds.ts';
import type { Source } from '../api/postgres-server.ts';
import { withoutIdentity } from '../domain/encryption.ts';
import type { BackupTask, RepositoryTask, ServerTask } from '../domain/task.ts';
import { hookWorkOf } from './hook-work.ts';
import type { AgentSettings } from './jobs/build-job.ts';
import { missing, type Refusal, refused } from './refusal.ts';

interface Parts {
  readonly policy: Pick<BackupPolicy, 'metadata' | 'spec'>;
  /** In the order of spec.repositoryRefs; undefined where the object does not exist. */
  readonly repositories: readonly (BackupRepository | undefined)[];
  readonly hosts: readonly string[] | Refusal;
  readonly execRole?: AgentSettings['execRole'];
  readonly method: BackupTask['method'];
  /** Default: Full. */
  readonly type?: BackupTask['type'];
}

/** What an agent is told to back up, the same for a schedule and for a person; or why it cannot be. */
export function backupTask({
  policy,
  repositories,
  hosts,
  execRole,
  method,
  type = 'Full',
}: Parts): BackupTask | Refusal {
  const { metadata, spec } = policy;
  const chosen = repositoryTasks(metadata.namespace, spec.repositoryRefs, repositories);
  if (!isList(chosen)) return chosen;
  if (!isList(hosts)) return hosts;
  const { source, logical, physical, compression, jobTemplate } = spec;
  const hooks = hookWorkOf(spec, execRole);
  return {
    action: 'backup',
    namespace: metadata.namespace,
    policy: { name: metadata.name, uid: metadata.uid },
    method,
    type,
    server: serverTask(source, hosts),
    repositories: [...chosen],
    logical,
    physical,
    compression,
    deadlineSeconds: jobTemplate.activeDeadlineSeconds,
    ...(hooks === undefined ? {} : { hooks }),
  };
}

export function serverTask(source: Source, hosts: readonly string[]): ServerTask {
  return {
    hosts: [...hosts],
    port: source.port,
    database: source.database,
    role: source.role,
    ...(source.tls === undefined ? {} : { tls: source.tls }),
    credentialsSecretName: source.credentialsSecretRef.name,
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
