import { type JobTemplate, jobTemplate } from '../../api/job-template.ts';
import type { BackupPolicy, BackupRepository, PitrRecovery } from '../../api/kinds.ts';
import type { WorkloadRef } from '../../api/postgres-server.ts';
import { foreignNamespace, readableNamespaces } from '../../domain/readable-namespaces.ts';
import type { PlanRecoveryTask } from '../../domain/task.ts';
import { isPartial } from '../../domain/verification/verdict.ts';
import { isList, repositoryTasks } from '../backup-task.ts';
import { readTogether } from '../read-together.ts';
import { isRefusal, missing, type Refusal, refused } from '../refusal.ts';

/** Where a recovery reads from, and what is known of the server whose backups those are. */
export interface RecoverySource {
  readonly task: PlanRecoveryTask['source'];
  readonly port: number;
  readonly workload: WorkloadRef | undefined;
  readonly container: string | undefined;
  readonly template: JobTemplate;
  /** Backups that failed their verification, by what this cluster knows. */
  readonly passOver: readonly string[];
  /** The policy leaves out parts of the databases. */
  readonly partial?: boolean;
  /** Seconds of WAL that the archive lacks, where its watcher has looked just now. */
  readonly lagSeconds?: number | undefined;
}

/** What the source may point at, looked up by whoever has the caches. */
export interface SourceLookup {
  policy(name: string): BackupPolicy | Refusal | undefined;
  repository(name: string): BackupRepository | undefined;
  /** The IDs of a policy's backups that failed their verification. */
  failed(policy: string): readonly string[];
  /** Of a policy's archive; undefined where nobody knows. */
  lagSeconds(policy: string): number | undefined;
}

export function resolveSource({ metadata, spec }: PitrRecovery, lookup: SourceLookup): RecoverySource | Refusal {
  const { namespace } = metadata;
  const { policyRef, repository } = spec.source;
  if (repository !== undefined) {
    const { repositoryRef, policy, namespace: origin, systemIdentifier } = repository;
    const task = readableRepository(namespace, repositoryRef, lookup);
    if (isRefusal(task)) return task;
    if (origin !== undefined && !readableNamespaces(namespace, task.spec).includes(origin))
      return refused('ForeignNamespace', foreignNamespace(task.name, origin));
    // That one alone, whatever the policy's others are: it is how to go on when one of them is away for good.
    return {
      task: {
        repository: task,
        ...(origin === undefined || policy === undefined ? {} : { namespace: origin, policy }),
        ...(systemIdentifier === undefined ? {} : { systemIdentifier }),
      },
      port: 5432,
      workload: undefined,
      container: undefined,
      template: jobTemplate.parse({}),
      passOver: policy === undefined || origin !== namespace ? [] : lookup.failed(policy),
    };
  }
  if (policyRef === undefined) return refused('NoSource', 'The recovery names no source.');
  return ofPolicy(namespace, policyRef.name, lookup);
}

function ofPolicy(namespace: string, name: string, lookup: SourceLookup): RecoverySource | Refusal {
  const policy = lookup.policy(name);
  if (policy === undefined)
    return missing(
      'PolicyNotFound',
      `BackupPolicy ${namespace}/${name} does not exist. Correct the reference, or name the repository, the policy and its namespace in source.repository.`,
    );
  if (isRefusal(policy)) return policy;
  const { source, repositoryRefs, jobTemplate: template } = policy.spec;
  // The first of the policy's repositories is read first; one whose object is gone is passed over.
  const first = repositoryRefs.find((ref) => lookup.repository(ref.name) !== undefined) ?? repositoryRefs[0];
  if (first === undefined) return refused('NoSource', `BackupPolicy ${name} names no repository.`);
  const task = readableRepository(namespace, first, lookup);
  if (isRefusal(task)) return task;
  const rest = repositoryRefs.filter((ref) => ref !== first);
  const others = readTogether(task, namespace, rest, (each) => lookup.repository(each));
  const systemIdentifier = policy.status?.wal?.systemIdentifier ?? policy.status?.server?.systemIdentifier;
  return {
    task: {
      repository: task,
      ...(others.length === 0 ? {} : { others: [...others] }),
      namespace,
      policy: name,
      ...(systemIdentifier === undefined ? {} : { systemIdentifier }),
    },
    port: source.port,
    workload: source.workloadRef,
    container: source.container,
    template,
    passOver: lookup.failed(name),
    partial: isPartial(policy),
    lagSeconds: lookup.lagSeconds(name),
  };
}

function readableRepository(namespace: string, ref: { readonly name: string }, lookup: SourceLookup) {
  const tasks = repositoryTasks(namespace, [ref], [lookup.repository(ref.name)], 'read');
  if (!isList(tasks)) return tasks;
  return tasks[0] ?? refused('NoSource', 'The recovery names no repository.');
}
