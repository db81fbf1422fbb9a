import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { ActionOutcome } from '../../../src/agent/action.ts';
import { type Folders, runBackup } from '../../../src/agent/backup/run-backup.ts';
import type { Reporter } from '../../../src/agent/report.ts';
import { runRestore } from '../../../src/agent/restore/run-restore.ts';
import { physical } from '../../../src/api/backup-policy.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { logical } from '../../../src/api/logical.ts';
import type { Progress } from '../../../src/api/report.ts';
import { restoreRequestSpec } from '../../../src/api/restore-request.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { type BackupTask, type RestoreTask, task as taskSchema } from '../../../src/domain/task.ts';
import type { Compression } from '../../../src/stream/compress.ts';
import type { TestServer } from '../../support/postgres/server.ts';

/** A server, a repository on a volume, and an agent's folders: what a Job's pod has. */
export interface World {
  readonly server: TestServer;
  /** Where the repository's objects lie. */
  readonly repository: string;
  readonly scratch: string;
  readonly backUp: (options?: BackupOptions) => Promise<string>;
  readonly restore: (backupID: string, spec: object, options?: RestoreOptions) => Promise<Restored>;
  /** Puts a list file where the operator would mount it. */
  readonly mountList: (index: number, key: string, text: string) => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** Another repository than the volume: its specification, and its Secret as it is mounted. */
export interface Place {
  readonly spec: object;
  readonly secret: Readonly<Record<string, string>>;
}

interface BackupOptions {
  readonly logical?: object;
  readonly compression?: Compression;
}

interface RestoreOptions {
  readonly signal?: AbortSignal;
  readonly username?: string;
  readonly password?: string;
  readonly onProgress?: (progress: Progress) => void;
  readonly into?: TestServer;
  readonly uid?: string;
}

export interface Restored {
  /** undefined where it failed. */
  readonly outcome: ActionOutcome | undefined;
  readonly error: { readonly reason?: string; readonly message: string; readonly retryable?: boolean } | undefined;
  readonly status: Readonly<Record<string, unknown>>;
  readonly progress: readonly Progress[];
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

export async function createWorld(server: TestServer, place: Place = onVolume): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-world-'));
  const mountRoot = join(root, 'mounts');
  const repository = join(mountRoot, mounts.repository.volume(0));
  const folders: Folders = {
    mountRoot,
    scratch: join(root, 'scratch'),
    temporary: join(root, 'tmp'),
    access: {
      credentials: join(root, 'credentials'),
      serverCa: join(root, 'ca'),
      clientCertificate: join(root, 'certificate'),
      systemCa: '/etc/ssl/certs/ca-certificates.crt',
    },
  };
  for (const folder of [repository, folders.scratch, folders.temporary, join(root, 'credentials')]) {
    await mkdir(folder, { recursive: true });
  }
  const secret = mountRoot + mounts.repository.credentials(0);
  await mkdir(secret, { recursive: true });
  for (const [key, value] of Object.entries(place.secret)) await writeFile(join(secret, key), value);
  const setCredentials = async (username: string, password: string) => {
    await writeFile(join(root, 'credentials', 'username'), username);
    await writeFile(join(root, 'credentials', 'password'), password);
  };
  const backUp = async (options: BackupOptions = {}) => {
    await setCredentials(server.superuser, server.password);
    const { reporter, status } = collect();
    await runBackup({
      task: backupTask(server, place, options),
      attempt: { run: 'run', jobName: 'run', pod: 'pod' },
      reporter,
      log: silent as never,
      runState: async () => 'unknown',
      signal: new AbortController().signal,
      folders,
    });
    return String(status.backupID);
  };
  const restore = async (backupID: string, spec: object, options: RestoreOptions = {}): Promise<Restored> => {
    const into = options.into ?? server;
    await setCredentials(options.username ?? into.superuser, options.password ?? into.password);
    const { reporter, status, progress } = collect(options.onProgress);
    const context = {
      task: restoreTask(into, place, { backupID, spec, uid: options.uid ?? randomUUID() }),
      reporter,
      log: silent as never,
      signal: options.signal ?? new AbortController().signal,
      folders,
    };
    try {
      return { outcome: await runRestore(context), error: undefined, status, progress };
    } catch (error) {
      return { outcome: undefined, error: error as Error, status, progress };
    }
  };
  return {
    server,
    repository,
    scratch: folders.scratch,
    backUp,
    restore,
    mountList: async (index, key, text) => {
      const folder = mountRoot + mounts.listFile(index);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, key), text);
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

function collect(onProgress?: (progress: Progress) => void) {
  const status: Record<string, unknown> = {};
  const progress: Progress[] = [];
  const reporter: Reporter = {
    progress(one) {
      progress.push(one);
      onProgress?.(one);
    },
    async facts(more) {
      Object.assign(status, more);
    },
    async finish() {},
  };
  return { reporter, status, progress };
}

const onVolume: Place = { spec: { volume: { claimName: 'backups' } }, secret: {} };

const repositoryTask = ({ spec }: Place) => ({ name: 'onsite', spec: backupRepositorySpec.parse(spec) });

function serverTask({ host, port }: TestServer) {
  return { hosts: [host], port, database: 'postgres', role: 'Primary', credentialsSecretName: 'admin' };
}

function backupTask(server: TestServer, place: Place, options: BackupOptions): BackupTask {
  return taskSchema.parse({
    action: 'backup',
    namespace: 'shop',
    policy: { name: 'orders', uid: 'uid' },
    method: 'Logical',
    type: 'Full',
    server: serverTask(server),
    repositories: [repositoryTask(place)],
    logical: logical.parse({ format: 'Custom', ...options.logical }),
    physical: physical.parse({}),
    compression: options.compression ?? { algorithm: 'zstd', level: 1 },
    deadlineSeconds: 3600,
  }) as BackupTask;
}

function restoreTask(
  server: TestServer,
  place: Place,
  { backupID, spec, uid }: { readonly backupID: string; readonly spec: object; readonly uid: string },
): RestoreTask {
  const asked = restoreRequestSpec.parse({
    source: { repository: { repositoryRef: { name: 'onsite' }, backupID } },
    target: { server: { host: server.host, credentialsSecretRef: { name: 'admin' } } },
    ...spec,
  });
  return taskSchema.parse({
    action: 'restore',
    namespace: 'shop',
    request: { name: 'request', uid },
    repository: repositoryTask(place),
    backup: { backupID },
    server: serverTask(server),
    restore: asked,
  }) as RestoreTask;
}

/** The stored objects of a backup, as paths in the repository. */
export async function storedFiles({ repository }: World, backupID: string): Promise<readonly string[]> {
  const entries = await readdir(repository, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.parentPath.includes(`/${backupID}`))
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Turns one bit in the middle of a file. */
export async function damage(path: string): Promise<void> {
  const bytes = await readFile(path);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

/** The stored table of contents of a backup of one database. */
export async function contentsOf(world: World, backupID: string): Promise<string> {
  const file = (await storedFiles(world, backupID)).find((path) => path.includes('/contents.list'));
  if (file === undefined) throw new Error('the backup has no table of contents');
  return (await execa('zstd', ['-d', '-c', file])).stdout;
}
