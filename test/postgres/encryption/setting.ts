import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { ActionOutcome } from '../../../src/agent/action.ts';
import { runRestore } from '../../../src/agent/restore/run-restore.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { restoreRequestSpec } from '../../../src/api/restore-request.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask, RestoreTask } from '../../../src/domain/task.ts';
import type { Store } from '../../../src/repository/store.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import {
  backUp,
  backupTask,
  createSetting,
  manifestOf,
  openRepository,
  recordingReporter,
  type Setting,
} from '../backup/setting.ts';

/** A server, and an S3 repository that is encrypted for one key. */
export interface EncryptedWorld {
  readonly server: TestServer;
  readonly s3: S3Server;
  readonly setting: Setting;
  readonly keys: KeyPair;
  readonly repository: RepositoryTask;
  readonly store: Store;
  readonly databases: () => Promise<string>;
  readonly remove: () => Promise<void>;
}

export async function startEncryptedWorld(): Promise<EncryptedWorld> {
  const [server, s3, keys] = await Promise.all([startPostgres(), startS3Server(), generateKeys()]);
  await s3.createBucket('backups');
  const setting = await createSetting(server, s3);
  const repository = encryptedRepository(s3, [keys.recipient]);
  const store = await openRepository(setting, repository);
  return {
    ...{ server, s3, setting, keys, repository, store },
    databases: () => server.psql('SELECT string_agg(datname, $$ $$ ORDER BY datname) FROM pg_database'),
    async remove() {
      await store.close();
      await server.stop();
      await s3.stop();
      await setting.remove();
    },
  };
}

/** What age-keygen makes. */
export interface KeyPair {
  /** Secret. */
  readonly identity: string;
  /** Public. */
  readonly recipient: string;
}

export async function generateKeys(): Promise<KeyPair> {
  const { stdout: identity } = await execa('age-keygen');
  const { stdout: recipient } = await execa('age-keygen', ['-y'], { input: identity });
  return { identity, recipient };
}

export const identitySecret = { name: 'age-identity', key: 'identity.txt' };

export function encryptedRepository(
  { endpoint }: S3Server,
  recipients: readonly string[],
  identitySecretRef: object | undefined = identitySecret,
): RepositoryTask {
  const s3 = { bucket: 'backups', prefix: 'prod/eu', endpoint, credentialsSecretRef: { name: 'offsite' } };
  const age = { recipients, ...(identitySecretRef === undefined ? {} : { identitySecretRef }) };
  return { name: 'offsite', spec: backupRepositorySpec.parse({ s3, encryption: { age } }) };
}

/** As the kubelet mounts the Secret; undefined: there is none. */
export async function mountIdentity({ folders }: Setting, text: string | undefined): Promise<void> {
  const folder = join(folders.mountRoot, mounts.repository.identity(0));
  await rm(folder, { recursive: true, force: true });
  if (text === undefined) return;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, identitySecret.key), text, { mode: 0o440 });
}

export interface MakeOptions {
  readonly format?: string;
  readonly algorithm?: string;
  readonly databases?: readonly string[];
}

/** Backs up, and reads the manifest back. */
export async function make(
  setting: Setting,
  server: TestServer,
  { store, into }: { readonly store: Store; readonly into: RepositoryTask },
  { format = 'Custom', algorithm = 'zstd', databases = ['shop'] }: MakeOptions = {},
) {
  const logical = { format, databases: { include: databases } };
  const task = backupTask(server, { repositories: [into], logical, compression: { algorithm } });
  const { reporter } = await backUp(setting, task);
  return manifestOf(store, reporter.status);
}

export interface Restored {
  readonly outcome?: ActionOutcome;
  readonly error?: { readonly reason?: string; readonly message: string; readonly retryable?: boolean };
}

export async function restore(
  setting: Setting,
  server: TestServer,
  repository: RepositoryTask,
  backupID: string,
  spec: object,
  {
    others,
    ...known
  }: { readonly path?: string; readonly checksum?: string; readonly others?: readonly RepositoryTask[] } = {},
): Promise<Restored> {
  const asked = restoreRequestSpec.parse({
    source: { repository: { repositoryRef: { name: repository.name }, backupID } },
    target: { server: { host: server.host, credentialsSecretRef: { name: 'admin' } } },
    ...spec,
  });
  const task: RestoreTask = {
    action: 'restore',
    namespace: 'shop',
    request: { name: 'request', uid: randomUUID() },
    repository,
    ...(others === undefined ? {} : { others: [...others] }),
    backup: { backupID, ...known },
    server: backupTask(server).server,
    restore: {
      databases: asked.databases,
      globals: asked.globals,
      jobs: asked.jobs,
      noOwner: asked.noOwner,
      noPrivileges: asked.noPrivileges,
      role: asked.role,
      exitOnError: asked.exitOnError,
      assertions: [],
      dryRun: asked.dryRun,
    },
  };
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const signal = AbortSignal.timeout(120_000);
  try {
    const { folders } = setting;
    return { outcome: await runRestore({ task, reporter: recordingReporter(), log: quiet, signal, folders }) };
  } catch (error) {
    return { error: error as Error };
  }
}

const deadline = () => ({ signal: AbortSignal.timeout(120_000) });

/** Every object below a folder of the repository, as it is stored. */
export async function storedObjects(store: Store, folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const objects = new Map<string, Buffer>();
  for await (const { key } of store.list(`${folder}/`, deadline())) objects.set(key, await read(store, key));
  return objects;
}

export async function read(store: Store, key: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of await store.download(key, deadline())) parts.push(part);
  return Buffer.concat(parts);
}

/** Puts other bytes under a key, does something, and puts back what was there. */
export async function withObject(store: Store, key: string, bytes: Buffer, during: () => Promise<void>): Promise<void> {
  const before = await read(store, key);
  await store.put(key, bytes, { ...deadline(), ifAbsent: false });
  try {
    await during();
  } finally {
    await store.put(key, before, { ...deadline(), ifAbsent: false });
  }
}
