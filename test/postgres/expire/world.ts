import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RetentionCluster } from '../../../src/agent/expire/cluster.ts';
import { runExpire } from '../../../src/agent/expire/run-expire.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { type RetentionStatus, retention as retentionSchema, retentionStatus } from '../../../src/api/retention.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { backupPath, walPath } from '../../../src/domain/layout.ts';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { ExpireTask, RepositoryTask } from '../../../src/domain/task.ts';
import { segmentNameAt } from '../../../src/domain/wal/file-name.ts';
import { beginBackup, commitBackup } from '../../../src/repository/backups.ts';
import { openStore } from '../../../src/repository/open.ts';
import type { Store } from '../../../src/repository/store.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import type { S3Server } from '../../support/s3/server.ts';
import { content, type MadeOptions, manifestOf, objectsIn, size, system } from './manifest-of.ts';

const signal = () => AbortSignal.timeout(120_000);

export const pathOf = ({ backupID }: Pick<Manifest, 'backupID'>) => backupPath({ ...place, backupID });
const place = { namespace: 'shop', policy: 'orders', systemIdentifier: system };
export const wal = walPath(place);

/** One repository with the backups and the WAL of one policy, and as much of the cluster as retention asks. */
export interface World {
  readonly store: Store;
  readonly archive: WalArchive;
  readonly repository: RepositoryTask;
  readonly mountRoot: string;
  readonly cluster: FakeCluster;
  readonly backUp: (daysAgo: number, options?: MadeOptions) => Promise<Manifest>;
  /** Puts segments of a timeline, by their numbers. */
  readonly archiveWal: (timeline: number, from: number, to: number) => Promise<void>;
  readonly expire: (retention: object, options?: ExpireOptions) => Promise<Said>;
  readonly keys: () => Promise<readonly string[]>;
  readonly remove: () => Promise<void>;
}

export interface ExpireOptions {
  /** Milliseconds from now. */
  readonly later?: number;
  readonly task?: Partial<ExpireTask>;
}

export interface Said {
  readonly reason: string;
  readonly message: string;
  readonly failed: boolean;
}

/** What stands in the policy's status and in the BackupRuns. */
export class FakeCluster implements RetentionCluster {
  status: RetentionStatus = {};
  readonly held = new Set<string>();
  readonly removed: string[] = [];
  unreachable = false;

  async published(): Promise<RetentionStatus> {
    if (this.unreachable) throw new Failure('ClusterUnreachable', 'away', { retryable: true });
    return this.status;
  }

  async isHeld({ backupID }: { readonly backupID: string }): Promise<boolean> {
    return this.held.has(backupID);
  }

  async markRemoved({ run }: { readonly run: string }): Promise<void> {
    this.removed.push(run);
  }
}

export async function createWorld(s3?: { readonly server: S3Server; readonly bucket: string }): Promise<World> {
  const mountRoot = await mkdtemp(join(tmpdir(), 'tidemark-expire-'));
  const repository = s3 === undefined ? await onVolume(mountRoot) : await onS3(mountRoot, s3);
  const store = await openStore(repository, 0, { mountRoot });
  const archive = openWalArchive(store, place);
  const cluster = new FakeCluster();
  let made = 0;
  return {
    store,
    archive,
    repository,
    mountRoot,
    cluster,
    async backUp(daysAgo, options = {}) {
      made += 1;
      const manifest = manifestOf(daysAgo, `run-${made}`, options);
      const { backupID } = manifest;
      const started = {
        run: manifest.run,
        jobName: manifest.run,
        pod: 'pod',
        startTime: manifest.startTime,
        deadlineSeconds: 60,
      };
      await beginBackup(store, { ...place, backupID }, started, signal());
      const path = backupPath({ ...place, backupID });
      for (const { path: name } of objectsIn(manifest))
        await store.put(`${path}/${name}`, content, { ifAbsent: true, signal: signal() });
      await commitBackup(store, { ...place, backupID }, manifest, signal());
      return manifest;
    },
    async archiveWal(timeline, from, to) {
      for (let number = from; number <= to; number += 1)
        await archive.put(segmentNameAt(timeline, BigInt(number) * BigInt(size), size), content, { signal: signal() });
    },
    expire: (retention, options) => expire({ repository, mountRoot, cluster }, retention, options),
    keys: async () => (await Array.fromAsync(store.list('shop/', { signal: signal() }))).map(({ key }) => key),
    async remove() {
      await store.close();
      await rm(mountRoot, { recursive: true });
    },
  };
}

/** One Job of retention, as the agent does it. */
export async function expire(
  { repository, mountRoot, cluster }: Pick<World, 'repository' | 'mountRoot' | 'cluster'>,
  retention: object,
  { later = 0, task = {} }: ExpireOptions = {},
): Promise<Said> {
  const clock = () => new Date(Date.now() + later);
  const context = {
    task: {
      action: 'expire' as const,
      namespace: 'shop',
      policy: { name: 'orders', uid: 'u', generation: 1 },
      repositories: [repository],
      retention: retentionSchema.parse(retention),
      timeZones: { Logical: 'Etc/UTC', Physical: 'Etc/UTC' },
      held: [...cluster.held],
      issuedTime: clock().toISOString(),
      ...task,
    },
    cluster,
    jobName: 'expire-orders',
    mountRoot,
    clock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    signal: signal(),
    reporter: {
      progress: () => undefined,
      finish: async () => undefined,
      facts: async (said: Readonly<Record<string, unknown>>) => {
        cluster.status = retentionStatus.parse(JSON.parse(JSON.stringify(said['retention'])));
      },
    },
  };
  try {
    return { ...(await runExpire(context)), failed: false };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { reason: error.reason, message: error.message, failed: true };
  }
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

/** What the tests ask of the world that they stand in. */
export function lookInto(current: () => World) {
  return {
    has: async (backup: Manifest) => (await current().keys()).some((key) => key.startsWith(`${pathOf(backup)}/`)),
    segments: async (timeline = '00000001') =>
      (await current().keys())
        .filter((key) => key.startsWith(`${wal}/${timeline}/`) && key.endsWith('.zst'))
        .map((key) => key.split('/').at(-1)),
    planned: (backup: Manifest) => current().cluster.status.plan?.find(({ backupID }) => backupID === backup.backupID),
  };
}
