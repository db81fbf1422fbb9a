import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CatalogueCluster, Place } from '../../../src/agent/catalogue/cluster.ts';
import { knownRun } from '../../../src/agent/catalogue/list-runs.ts';
import { runSync } from '../../../src/agent/catalogue/run-sync.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { backupRunSpec, backupRunStatus } from '../../../src/api/backup-run.ts';
import { type CatalogueStatus, catalogueStatus } from '../../../src/api/catalogue.ts';
import type { BackupRun } from '../../../src/api/kinds.ts';
import type { RunObject } from '../../../src/domain/catalogue/run-of-manifest.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { backupPath } from '../../../src/domain/layout.ts';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask, SyncTask } from '../../../src/domain/task.ts';
import { beginBackup, commitBackup } from '../../../src/repository/backups.ts';
import { openStore } from '../../../src/repository/open.ts';
import type { Store } from '../../../src/repository/store.ts';
import type { S3Server } from '../../support/s3/server.ts';
import { content, type MadeOptions, manifestOf, objectsIn } from '../expire/manifest-of.ts';

const signal = () => AbortSignal.timeout(120_000);
export const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A repository with backups of one policy or several, and the BackupRuns of a namespace. */
export interface World {
  readonly store: Store;
  readonly repository: RepositoryTask;
  readonly mountRoot: string;
  readonly cluster: FakeRuns;
  /** What the last sync has left in the BackupRepository's status. */
  readonly status: () => CatalogueStatus;
  readonly backUp: (daysAgo: number, options?: Made) => Promise<Manifest>;
  readonly sync: (options?: Partial<SyncTask> & { readonly later?: number }) => Promise<Said>;
  readonly keys: () => Promise<readonly string[]>;
  readonly remove: () => Promise<void>;
}

interface Made extends MadeOptions {
  readonly namespace?: string;
  readonly policy?: string;
  readonly run?: string;
}

export interface Said {
  readonly reason: string;
  readonly message: string;
  readonly failed: boolean;
}

/** BackupRuns as the API server keeps them: what is applied is merged, and checked by the schema. */
export class FakeRuns implements CatalogueCluster {
  readonly objects = new Map<string, BackupRun>();
  /** Answers to create() and describe() that get lost. */
  losing = 0;

  add(name: string, spec: object = {}, status?: object): BackupRun {
    const parsed = backupRunSpec.parse({ policyRef: { name: 'orders' }, method: 'Physical', ...spec });
    return this.#store({ name, namespace: 'shop', labels: {}, annotations: {} }, parsed, status);
  }

  change(name: string, { spec = {}, status = {} }: { readonly spec?: object; readonly status?: object }): void {
    const run = this.get(name);
    this.objects.set(name, { ...run, spec: { ...run.spec, ...spec }, status: { ...run.status, ...status } });
  }

  get(name: string): BackupRun {
    const run = this.objects.get(name);
    if (run === undefined) throw new Error(`there is no ${name} among ${[...this.objects.keys()].join(', ')}`);
    return run;
  }

  places(name: string) {
    return this.get(name).status?.repositories?.map(({ name: where, state }) => `${where} ${state}`);
  }

  get names(): readonly string[] {
    return [...this.objects.keys()].sort();
  }

  async runs() {
    return [...this.objects.values()].map(knownRun);
  }

  async create({ metadata, spec }: RunObject): Promise<boolean> {
    if (this.objects.has(metadata.name)) return false;
    this.#store(metadata, backupRunSpec.parse(spec));
    return true;
  }

  async find(name: string): Promise<BackupRun | undefined> {
    return this.objects.get(name);
  }

  async describe(name: string, status: object): Promise<void> {
    if (this.losing > 0) {
      this.losing -= 1;
      throw new Failure('ClusterUnreachable', 'away', { retryable: true });
    }
    this.change(name, { status: backupRunStatus.parse(status) });
  }

  async place({ name }: { readonly name: string }, place: Place): Promise<void> {
    const present = this.get(name).status?.repositories ?? [];
    const others = present.filter((each) => each.name !== place.name);
    const merged = { ...present.find((each) => each.name === place.name), held: false, lost: false, ...place };
    this.change(name, { status: backupRunStatus.parse({ repositories: [...others, merged] }) });
  }

  #store(metadata: RunObject['metadata'], spec: BackupRun['spec'], status?: object): BackupRun {
    const { name } = metadata;
    const made = {
      uid: `uid-${name}`,
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: new Date().toISOString(),
    };
    const run: BackupRun = {
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'BackupRun',
      metadata: { ...made, ...metadata },
      spec,
      ...(status === undefined ? {} : { status: backupRunStatus.parse(status) }),
    };
    this.objects.set(name, run);
    return run;
  }
}

export async function createWorld(s3?: { readonly server: S3Server; readonly bucket: string }): Promise<World> {
  const mountRoot = await mkdtemp(join(tmpdir(), 'tidemark-catalogue-'));
  const repository = s3 === undefined ? await onVolume(mountRoot) : await onS3(mountRoot, s3);
  const store = await openStore(repository, 0, { mountRoot });
  const cluster = new FakeRuns();
  let status: CatalogueStatus = {};
  let made = 0;
  return {
    store,
    repository,
    mountRoot,
    cluster,
    status: () => status,
    async backUp(daysAgo, { namespace = 'shop', policy = 'orders', run, ...options } = {}) {
      made += 1;
      const manifest = { ...manifestOf(daysAgo, run ?? `run-${made}`, options), namespace, policy };
      await storeBackup(store, manifest);
      return manifest;
    },
    async sync({ later = 0, ...change } = {}) {
      const clock = () => new Date(Date.now() + later);
      const task = { ...taskOf(repository), previous: status, ...change };
      const facts = async (said: Readonly<Record<string, unknown>>) => {
        status = catalogueStatus.parse(JSON.parse(JSON.stringify(said['catalogue'])));
      };
      const reporter = { progress: () => undefined, finish: async () => undefined, facts };
      try {
        const outcome = await runSync({ task, cluster, mountRoot, clock, reporter, log, signal: signal() });
        return { ...outcome, failed: false };
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return { reason: error.reason, message: error.message, failed: true };
      }
    },
    keys: async () => (await Array.fromAsync(store.list('', { signal: signal() }))).map(({ key }) => key),
    async remove() {
      await store.close();
      await rm(mountRoot, { recursive: true });
    },
  };
}

/** Puts a backup where its manifest says. */
export async function storeBackup(store: Store, manifest: Manifest): Promise<void> {
  const { backupID, run, startTime } = manifest;
  const location = locationOf(manifest);
  const started = { run, jobName: run, pod: 'pod', startTime, deadlineSeconds: 60 };
  const claimed = await beginBackup(store, location, started, signal());
  if (claimed.backupID !== backupID) throw new Error(`${backupID} is taken`);
  for (const { path } of objectsIn(manifest))
    await store.put(`${backupPath(location)}/${path}`, content, { ifAbsent: true, signal: signal() });
  await commitBackup(store, location, manifest, signal());
}

function locationOf({ namespace, policy, server, backupID }: Manifest) {
  return { namespace, policy, systemIdentifier: server.systemIdentifier, backupID };
}

export function pathOf(manifest: Manifest): string {
  return backupPath(locationOf(manifest));
}

export function taskOf(repository: RepositoryTask): SyncTask {
  return {
    action: 'sync-catalogue',
    namespace: 'shop',
    repositoryObject: { name: repository.name, uid: 'u', generation: 1 },
    repository,
    namespaces: ['shop'],
    limits: [],
    depth: 'Deep',
    scope: 'New',
    mayBeEmpty: false,
    place: 'here',
  };
}

async function onVolume(mountRoot: string): Promise<RepositoryTask> {
  await mkdir(mountRoot + mounts.repository.volume(0), { recursive: true });
  return { name: 'store', spec: backupRepositorySpec.parse({ volume: { claimName: 'backups' } }) };
}

async function onS3(
  mountRoot: string,
  { server, bucket }: { readonly server: S3Server; readonly bucket: string },
): Promise<RepositoryTask> {
  const folder = mountRoot + mounts.repository.credentials(0);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'AWS_ACCESS_KEY_ID'), server.accessKey);
  await writeFile(join(folder, 'AWS_SECRET_ACCESS_KEY'), server.secretKey);
  const s3 = { bucket, endpoint: server.endpoint, credentialsSecretRef: { name: 'keys' } };
  return { name: 'store', spec: backupRepositorySpec.parse({ s3 }) };
}
