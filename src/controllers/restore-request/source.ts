import type { BackupPolicy, BackupRepository, BackupRun, RestoreRequest } from '../../api/kinds.ts';
import { isStoredInSome } from '../../domain/stored-in-some.ts';
import type { RepositoryTask } from '../../domain/task.ts';
import { failedVerification } from '../../domain/verification/failed.ts';
import { isPartial } from '../../domain/verification/verdict.ts';
import { isList, repositoryTasks } from '../backup-task.ts';
import { readTogether } from '../read-together.ts';
import { missing, type Refusal, refused } from '../refusal.ts';

/** Which backup, and where it lies. Without a path the agent searches the repository for the ID. */
export interface RestoreSource {
  readonly repository: RepositoryTask;
  /** Those that have it too. */
  readonly others?: readonly RepositoryTask[];
  readonly backup: {
    readonly backupID: string;
    readonly path?: string;
    readonly checksum?: string;
    readonly otherChecksums?: string[];
  };
  /** The policy leaves out parts of the databases. */
  readonly partial?: boolean;
}

/** What the request's source may point at, looked up by whoever has the caches. */
export interface Lookup {
  run(name: string): BackupRun | undefined;
  runsOf(policy: string): readonly BackupRun[];
  /** The run that made a backup, where it is known here. */
  runOfBackup(backupID: string): BackupRun | undefined;
  policy(name: string): BackupPolicy | undefined;
  repository(name: string): BackupRepository | undefined;
}

export function resolveSource({ metadata, spec }: RestoreRequest, lookup: Lookup): RestoreSource | Refusal {
  const { namespace } = metadata;
  const { backupRunRef, latest, repository } = spec.source;
  if (backupRunRef !== undefined) {
    const run = lookup.run(backupRunRef.name);
    if (run === undefined)
      return missing(
        'BackupRunNotFound',
        `BackupRun ${namespace}/${backupRunRef.name} does not exist. Choose one of: kubectl get backupruns -n ${namespace}`,
      );
    return fromRun(run, lookup);
  }
  if (latest !== undefined) return fromLatest(namespace, latest, lookup);
  if (repository === undefined) return refused('NoSource', 'The request names no source.');
  const tasks = repositoryTasks(
    namespace,
    [repository.repositoryRef],
    [lookup.repository(repository.repositoryRef.name)],
    'read',
  );
  if (!isList(tasks)) return tasks;
  const [task] = tasks;
  return task === undefined
    ? refused('NoSource', 'The request names no repository.')
    : { repository: task, backup: { backupID: repository.backupID } };
}

function fromLatest(
  namespace: string,
  { policyRef, method }: { readonly policyRef: { readonly name: string }; readonly method: string },
  lookup: Lookup,
): RestoreSource | Refusal {
  const newest = newestOf(policyRef.name, method, lookup);
  if (newest !== undefined) return fromRun(newest, lookup);
  if (lookup.policy(policyRef.name) === undefined)
    return missing(
      'PolicyNotFound',
      `BackupPolicy ${namespace}/${policyRef.name} does not exist, and there is no BackupRun of it.`,
    );
  return missing(
    'NoBackup',
    `There is no completed ${method} backup of BackupPolicy ${policyRef.name}. Make one, or name a repository and a backup ID as the source.`,
  );
}

/** What is to be said of `latest`: the newer ones that were passed over, or that there is no other. */
export function wordOnLatest(run: BackupRun | undefined, policy: string, method: string, lookup: Lookup): string {
  if (run === undefined) return '';
  if (failedVerification(run)) return `; backup ${run.status?.backupID} failed its verification, and there is no other`;
  const passed = lookup
    .runsOf(policy)
    .filter(({ spec, status }) => spec.method === method && (status?.phase === 'Completed' || isStoredInSome(status)))
    .filter((each) => failedVerification(each) && (each.status?.backupID ?? '') > (run.status?.backupID ?? ''));
  if (passed.length === 0) return '';
  return `; ${passed.map(({ status }) => status?.backupID).join(', ')} failed verification and was passed over for ${run.status?.backupID}`;
}

export function newestOf(policy: string, method: string, lookup: Lookup): BackupRun | undefined {
  const completed = lookup
    .runsOf(policy)
    .filter(({ spec, status }) => spec.method === method && (status?.phase === 'Completed' || isStoredInSome(status)));
  const good = completed.filter((run) => !failedVerification(run));
  // One that was found bad is better than none, and the person who asks for it is told.
  return [...(good.length > 0 ? good : completed)].sort((a, b) =>
    (b.status?.backupID ?? '').localeCompare(a.status?.backupID ?? ''),
  )[0];
}

function fromRun({ metadata, spec, status }: BackupRun, lookup: Lookup): RestoreSource | Refusal {
  const { namespace, name } = metadata;
  if (status?.phase === 'Expired')
    return refused(
      'SourceExpired',
      `The backup of BackupRun ${name} was deleted by retention, as the policy asks. Choose a BackupRun that is Completed.`,
    );
  if (status === undefined || (status.phase !== 'Completed' && !holdsSome(status) && !isStoredInSome(status))) {
    const explain = status?.phase === 'Failed' || status?.phase === 'Cancelled' ? refused : missing;
    return explain(
      'SourceNotCompleted',
      `BackupRun ${name} is ${status?.phase ?? 'Pending'}, so there is nothing to restore from it. Choose one that is Completed.`,
    );
  }
  const stored = (status.repositories ?? []).filter(({ state }) => state === 'Stored');
  // The first of the policy's repositories is read first; one whose object is gone is passed over.
  const place = stored.find((each) => lookup.repository(each.name) !== undefined) ?? stored[0];
  if (place === undefined || status.backupID === undefined)
    return refused('SourceNotStored', `BackupRun ${name} does not say in which repository its backup is.`);
  const tasks = repositoryTasks(namespace, [place], [lookup.repository(place.name)], 'read');
  if (!isList(tasks)) return tasks;
  const [task] = tasks;
  if (task === undefined)
    return refused('SourceNotStored', `BackupRun ${name} does not say in which repository its backup is.`);
  const rest = stored.filter((each) => each !== place && each.path === place.path);
  const others = readTogether(task, namespace, rest, (each) => lookup.repository(each));
  const otherChecksums = rest.flatMap(({ checksum }) => checksum ?? []);
  const policy = lookup.policy(spec.policyRef.name);
  return {
    repository: task,
    ...(policy !== undefined && isPartial(policy) ? { partial: true } : {}),
    ...(others.length === 0 ? {} : { others }),
    backup: {
      backupID: status.backupID,
      ...(place.path === undefined ? {} : { path: place.path }),
      ...checksumOf(place.checksum ?? status.checksum),
      ...(others.length === 0 || otherChecksums.length === 0 ? {} : { otherChecksums }),
    },
  };
}

function checksumOf(checksum: string | undefined): { readonly checksum?: string } {
  return checksum === undefined ? {} : { checksum };
}

/** It failed, but what it stored of some databases stays usable; the agent refuses what is not there, and says why. */
function holdsSome(status: NonNullable<BackupRun['status']>): boolean {
  const isThere = ({ state }: { readonly state?: string | undefined }) => state === 'Stored';
  return (
    status.phase === 'Failed' && status.databases?.some(isThere) === true && status.repositories?.some(isThere) === true
  );
}
