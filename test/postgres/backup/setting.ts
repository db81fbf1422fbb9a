import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BackupContext, type Folders, runBackup } from '../../../src/agent/backup/run-backup.ts';
import type { Reporter } from '../../../src/agent/report.ts';
import { backupPolicySpec } from '../../../src/api/backup-policy.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import type { Progress } from '../../../src/api/report.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { BackupTask, RepositoryTask } from '../../../src/domain/task.ts';
import { readManifest } from '../../../src/repository/backups.ts';
import { listBackups } from '../../../src/repository/find-backup.ts';
import { openStore } from '../../../src/repository/open.ts';
import type { Store } from '../../../src/repository/store.ts';
import type { TestServer } from '../../support/postgres/server.ts';
import type { S3Server } from '../../support/s3/server.ts';

/** The folders of an agent's pod, somewhere else. */
export interface Setting {
  readonly folders: Folders & { readonly mountRoot: string };
  readonly setCredentials: (username: string, password: string) => Promise<void>;
  readonly remove: () => Promise<void>;
}

export async function createSetting(server: TestServer, s3?: S3Server): Promise<Setting> {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-agent-'));
  const credentials = join(root, mounts.credentials);
  const [scratch, temporary] = [join(root, 'scratch'), join(root, 'tmp')];
  const folders = [
    credentials,
    scratch,
    temporary,
    ...[0, 1].flatMap((index) => [
      join(root, mounts.repository.credentials(index)),
      join(root, mounts.repository.volume(index)),
    ]),
  ];
  for (const folder of folders) await mkdir(folder, { recursive: true });
  for (const index of [0, 1]) {
    const folder = join(root, mounts.repository.credentials(index));
    await writeFile(join(folder, 'AWS_ACCESS_KEY_ID'), s3?.accessKey ?? '');
    await writeFile(join(folder, 'AWS_SECRET_ACCESS_KEY'), s3?.secretKey ?? '');
  }
  const setCredentials = async (username: string, password: string) => {
    await writeFile(join(credentials, 'username'), username);
    await writeFile(join(credentials, 'password'), password);
  };
  await setCredentials(server.superuser, server.password);
  return {
    folders: {
      access: {
        credentials,
        serverCa: join(root, mounts.serverCa),
        clientCertificate: join(root, mounts.clientCertificate),
        systemCa: '/nonexistent',
      },
      mountRoot: root,
      scratch,
      temporary,
    },
    setCredentials,
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

export const volumeRepository: RepositoryTask = {
  name: 'local-disk',
  spec: backupRepositorySpec.parse({ volume: { claimName: 'backups' } }),
};

export function s3Repository({ endpoint }: S3Server, bucket: string): RepositoryTask {
  const s3 = { bucket, prefix: 'prod/eu', endpoint, credentialsSecretRef: { name: 'offsite' } };
  return { name: 'offsite', spec: backupRepositorySpec.parse({ s3 }) };
}

export interface TaskOptions {
  readonly repositories?: readonly RepositoryTask[];
  readonly logical?: object;
  readonly compression?: object;
  readonly server?: Partial<BackupTask['server']>;
}

export function backupTask(
  server: TestServer,
  { repositories = [volumeRepository], logical = {}, compression = {}, server: connection = {} }: TaskOptions = {},
): BackupTask {
  const spec = backupPolicySpec.parse({
    source: { host: server.host, credentialsSecretRef: { name: 'orders-db-backup' } },
    repositoryRefs: repositories.map(({ name }) => ({ name })),
    logical,
    compression,
  });
  return {
    action: 'backup',
    namespace: 'shop',
    policy: { name: 'orders', uid: 'b6a2' },
    method: 'Logical',
    type: 'Full',
    server: {
      hosts: [server.host],
      port: server.port,
      database: 'postgres',
      role: 'Primary',
      credentialsSecretName: 'orders-db-backup',
      ...connection,
    },
    repositories: [...repositories],
    logical: spec.logical,
    physical: spec.physical,
    compression: spec.compression,
    deadlineSeconds: 3600,
  };
}

/** A reporter that remembers. */
export function recordingReporter(): Reporter & {
  readonly status: Record<string, unknown>;
  readonly progressed: Progress[];
} {
  const status: Record<string, unknown> = {};
  const progressed: Progress[] = [];
  return {
    status,
    progressed,
    progress: (progress) => void progressed.push(progress),
    facts: async (more) => void Object.assign(status, more),
    finish: async (report) => void Object.assign(status, { report }),
  };
}

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Runs a backup as a Job's pod would, and gives what it told. */
export async function backUp(setting: Setting, task: BackupTask, more: Partial<BackupContext> = {}) {
  const reporter = recordingReporter();
  const outcome = await runBackup({
    task,
    reporter,
    attempt: { run: 'orders-manual', jobName: 'orders-manual', pod: 'orders-manual-1' },
    runState: async () => 'terminal',
    log: quiet,
    signal: AbortSignal.timeout(120_000),
    folders: setting.folders,
    ...more,
  });
  return { outcome, reporter };
}

export function openRepository(setting: Setting, repository: RepositoryTask, index = 0): Promise<Store> {
  return openStore(repository, index, { mountRoot: setting.folders.mountRoot });
}

/** The manifest that a status tells of. */
export async function manifestOf(store: Store, status: Record<string, unknown>, index = 0) {
  const repositories = status.repositories as readonly { readonly path: string }[];
  const path = repositories[index]?.path ?? '';
  const { manifest } = await readManifest(store, path, {
    signal: AbortSignal.timeout(120_000),
    expectedSha256: String(status.checksum),
  });
  if (manifest.method !== 'Logical') throw new Error(`a manifest of method ${manifest.method}`);
  return { manifest, path };
}

/** What lies in a repository: complete backups, attempts, and every key. */
export async function inventory(store: Store) {
  const signal = AbortSignal.timeout(120_000);
  const backups = [];
  for await (const found of listBackups(store, signal)) backups.push(found);
  const keys = [];
  for await (const { key } of store.list('', { signal })) keys.push(key);
  return { backups, keys };
}

export async function leftovers({ folders }: Setting): Promise<readonly string[]> {
  return [...(await readdir(folders.scratch)), ...(await readdir(folders.temporary))];
}
