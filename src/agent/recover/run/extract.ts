import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backupPolicySpec } from '../../../api/backup-policy.ts';
import { backupRepositorySpec } from '../../../api/backup-repository.ts';
import type { Extract } from '../../../api/pitr-recovery.ts';
import { restoreRequestSpec } from '../../../api/restore-request.ts';
import { terminal } from '../../../domain/failure.ts';
import { mounts } from '../../../domain/mounts.ts';
import type { BackupTask, RecoverTask, RepositoryTask, RestoreTask } from '../../../domain/task.ts';
import type { AccessRoots, ServerAccess } from '../../../postgres/access.ts';
import { openStore } from '../../../repository/open.ts';
import type { ActionContext } from '../../action.ts';
import { runBackup } from '../../backup/run-backup.ts';
import type { Reporter } from '../../report.ts';
import { runRestore } from '../../restore/run-restore.ts';
import { inWordsOfExtract, requireExtracted } from './choose-extracted.ts';

export interface ExtractOptions extends Pick<ActionContext<RecoverTask>, 'task' | 'log' | 'signal'> {
  /** The recovered server. */
  readonly access: ServerAccess;
  /** Shared with the server's container; what is copied waits here. */
  readonly folder: string;
  /** Of the server that is written into. */
  readonly into: AccessRoots | undefined;
  readonly onProgress: (done: number, total: number) => void;
}

export interface Extracted {
  readonly databases: number;
  readonly objects: number;
}

type Wanted = Extract['databases'][number];

const repository: RepositoryTask = {
  name: 'extract',
  spec: backupRepositorySpec.parse({ volume: { claimName: 'extract' } }),
};

/**
 * Copies databases or tables out of the recovered server into a live one: a logical backup into the pod's own space, and
 * its restore. Every refusal comes before the live server is changed.
 */
export async function extract(options: ExtractOptions): Promise<Extracted> {
  const { task, folder, access, signal, onProgress } = options;
  if (task.extract === undefined) return { databases: 0, objects: 0 };
  const { databases } = task.extract;
  const place = join(folder, 'extract');
  await requireExtracted(databases, access, signal);
  try {
    for (const name of ['recovered', 'scratch', 'temporary', join('root', mounts.repository.volume(0))]) {
      await mkdir(join(place, name), { recursive: true, mode: 0o700 });
    }
    await writeFile(join(place, 'recovered', 'username'), options.access.username, { mode: 0o600 });
    await writeFile(join(place, 'recovered', 'password'), '', { mode: 0o600 });
    const backups: string[] = [];
    for (const [index, wanted] of databases.entries()) {
      onProgress(index, databases.length * 2);
      backups.push(await dump(options, wanted, index, place));
    }
    const copy = async (index: number, wanted: Wanted, dryRun: boolean) => {
      const copied = dryRun ? [] : databases.slice(0, index).map(({ name }) => name);
      try {
        return await restore(options, { wanted, index, place, backupID: backups[index] ?? '', dryRun });
      } catch (error) {
        throw inWordsOfExtract(error, { index, name: wanted.name }, copied);
      }
    };
    for (const [index, wanted] of databases.entries()) await copy(index, wanted, true);
    let objects = 0;
    for (const [index, wanted] of databases.entries()) {
      onProgress(databases.length + index, databases.length * 2);
      objects += await copy(index, wanted, false);
    }
    return { databases: databases.length, objects };
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

async function dump(options: ExtractOptions, { name, tables }: Wanted, index: number, place: string): Promise<string> {
  const { access, log, signal } = options;
  const spec = backupPolicySpec.parse({
    source: { host: 'recovered', credentialsSecretRef: { name: 'recovered' } },
    repositoryRefs: [{ name: repository.name }],
    compression: { algorithm: 'zstd', level: 1 },
    logical: {
      databases: { include: [quoted(name)] },
      globals: 'None',
      tables,
      // They belong to no table, and the live database has most of them.
      largeObjects: tables.include.length > 0 ? 'Exclude' : 'Include',
    },
  });
  const task: BackupTask = {
    action: 'backup',
    namespace: 'extract',
    policy: { name: policyOf(index), uid: options.task.recovery.uid },
    method: 'Logical',
    type: 'Full',
    server: {
      hosts: [access.host],
      port: access.port,
      database: 'template1',
      role: 'Primary',
      tls: { mode: 'disable' },
      credentialsSecretName: 'recovered',
    },
    repositories: [repository],
    logical: spec.logical,
    physical: spec.physical,
    compression: spec.compression,
    deadlineSeconds: 86_400,
  };
  const { reporter, facts } = remembering();
  const credentials = join(place, 'recovered');
  const roots = { credentials, serverCa: credentials, clientCertificate: credentials, systemCa: '' };
  const run = options.task.recovery.name;
  await runBackup({
    task,
    reporter,
    log,
    signal,
    attempt: { run, jobName: run, pod: '' },
    runState: async () => 'terminal',
    folders: { access: roots, ...foldersIn(place) },
  });
  return String(facts.backupID);
}

async function restore(
  options: ExtractOptions,
  job: {
    readonly wanted: Wanted;
    readonly index: number;
    readonly place: string;
    readonly backupID: string;
    readonly dryRun: boolean;
  },
): Promise<number> {
  const { task: recover, into, log, signal } = options;
  const { wanted, index, place, backupID, dryRun } = job;
  if (recover.extract === undefined) return 0;
  const { name, targetName, create } = wanted;
  const database = { name, create, ...(targetName === undefined ? {} : { targetName }) };
  const task: RestoreTask = {
    action: 'restore',
    namespace: recover.namespace,
    request: { name: recover.recovery.name, uid: recover.recovery.uid },
    repository,
    backup: { backupID, path: await pathOf(place, index, backupID) },
    server: recover.extract.server,
    restore: {
      databases: restoreRequestSpec.shape.databases.parse([database]),
      globals: 'Skip',
      // One transaction where the database is there already.
      jobs: 1,
      noOwner: false,
      noPrivileges: false,
      role: '',
      exitOnError: true,
      assertions: [],
      dryRun,
    },
  };
  const { reporter, facts } = remembering();
  await runRestore({
    task,
    reporter,
    log,
    signal,
    folders: { ...(into === undefined ? {} : { access: into }), ...foldersIn(place) },
  });
  const restored = facts.restored as { readonly objects?: number } | undefined;
  return restored?.objects ?? 0;
}

/** Where runBackup() has put it: the system identifier is part of the path. */
async function pathOf(place: string, index: number, backupID: string): Promise<string> {
  const store = await openStore(repository, 0, { mountRoot: join(place, 'root') });
  try {
    const signal = AbortSignal.timeout(60_000);
    for await (const system of store.listFolders(`extract/${policyOf(index)}/`, { signal })) {
      return `extract/${policyOf(index)}/${system}/backups/${backupID}`;
    }
    throw terminal('BackupNotFound', `What was copied out of the recovered server is not in ${store.description}.`);
  } finally {
    await store.close();
  }
}

function foldersIn(place: string) {
  return {
    mountRoot: join(place, 'root'),
    scratch: join(place, 'scratch'),
    temporary: join(place, 'temporary'),
  };
}

function policyOf(index: number): string {
  return `database-${index}`;
}

/** A pattern that means this one name. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** These facts are not of the recovery. */
function remembering(): { readonly reporter: Reporter; readonly facts: Record<string, unknown> } {
  const facts: Record<string, unknown> = {};
  return {
    facts,
    reporter: {
      progress: () => undefined,
      facts: async (more) => void Object.assign(facts, more),
      finish: async () => undefined,
    },
  };
}
