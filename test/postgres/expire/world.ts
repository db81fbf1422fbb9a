import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RetentionCluster } from '../../../src/agent/expire/cluster.ts';
import { runExpire } from '../../../src/agent/expire/run-expire.ts';
import { type RetentionStatus, retention as retentionSchema, retentionStatus } from '../../../src/api/backup-policy.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { backupPath } from '../../../src/domain/layout.ts';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { ExpireTask, RepositoryTask } from '../../../src/domain/task.ts';
import { segmentNameAt } from '../../../src/domain/wal/file-name.ts';
import { formatLsn } from '../../../src/domain/wal/lsn.ts';
import { beginBackup, commitBackup } from '../../../src/repository/backups.ts';
import { openStore } from '../../../src/repository/open.ts';
import type { Store } from '../../../src/repository/store.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import type { S3Server } from '../../support/s3/server.ts';

export const hour = 3_600_000;
export const day = 24 * hour;
export const size = 16 * 1024 ** 2;
export const system = '7300000000000000001';
const signal = () => AbortSignal.timeout(60_000);
const content = Buffer.from('what the server had');

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

export interface MadeOptions {
  readonly method?: 'Logical' | 'Physical';
  readonly segment?: number;
  readonly timeline?: number;
  /** A database that is not in it. */
  readonly failed?: string;
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
  const location = { namespace: 'shop', policy: 'orders', systemIdentifier: system };
  const archive = openWalArchive(store, location);
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
      await beginBackup(store, { ...location, backupID }, started, signal());
      const path = backupPath({ ...location, backupID });
      for (const { path: name } of objectsIn(manifest))
        await store.put(`${path}/${name}`, content, { ifAbsent: true, signal: signal() });
      await commitBackup(store, { ...location, backupID }, manifest, signal());
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

function manifestOf(
  daysAgo: number,
  run: string,
  { method = 'Physical', segment = 1, timeline = 1, failed }: MadeOptions,
): Manifest {
  const end = new Date(Date.now() - daysAgo * day);
  const startTime = new Date(end.getTime() - 60_000).toISOString();
  const stamp = startTime.replace(/[-:]|\.\d+/g, '');
  const common = {
    type: 'Full' as const,
    namespace: 'shop',
    policy: 'orders',
    run,
    startTime,
    completionTime: end.toISOString(),
    server: { version: '17', systemIdentifier: system, timeline, role: 'Primary' as const },
    compression: { algorithm: 'none' as const },
    size: { source: 100, stored: 2 * content.length },
  };
  if (method === 'Logical') {
    const name = { collate: 'C', ctype: 'C', encoding: 'UTF8', owner: 'postgres' };
    return {
      ...common,
      format: 1,
      backupID: `${stamp}-logical`,
      method,
      logical: {
        tool: 'pg_dump (PostgreSQL) 17',
        databases: [
          {
            name: 'shop',
            format: 'Custom',
            ...name,
            bytes: 1,
            objects: [object('databases/shop/dump')],
            contents: object('databases/shop/list'),
          },
        ],
        ...(failed === undefined ? {} : { failed: [{ name: failed, reason: 'PermissionDenied', message: 'no' }] }),
      },
    };
  }
  const begin = BigInt(segment) * BigInt(size) + 40n;
  return {
    ...common,
    format: 1,
    backupID: `${stamp}-physical-full`,
    method,
    physical: {
      chunks: [{ ...object('base/0.tar.zst'), bytes: 1 }],
      tablespaces: [],
      backupManifest: object('base/backup_manifest.zst'),
      walMethod: 'Archive',
      wal: [],
      beginLSN: formatLsn(begin),
      endLSN: formatLsn(begin + 100n),
      beginSegment: segmentNameAt(timeline, begin, size),
      endSegment: segmentNameAt(timeline, begin, size),
      timeline,
      segmentSize: size,
      dataDirectory: '/data',
      owner: { uid: 1, gid: 1 },
      dataChecksums: true,
      checksumFailures: 0,
      settings: {},
    },
  };
}

function object(path: string) {
  return { path, size: content.length, sha256: `sha256:${createHash('sha256').update(content).digest('hex')}` };
}

function objectsIn(manifest: Manifest) {
  return manifest.method === 'Physical'
    ? [...manifest.physical.chunks, manifest.physical.backupManifest]
    : manifest.logical.databases.flatMap(({ objects, contents }) => [...objects, contents]);
}
