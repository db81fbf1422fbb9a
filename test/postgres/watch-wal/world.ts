import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { type Pace, runWatchWal } from '../../../src/agent/watch-wal/run-watch.ts';
import { backupPolicySpec, type WalStatus } from '../../../src/api/backup-policy.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask, WatchWalTask } from '../../../src/domain/task.ts';
import { parseWalFileName } from '../../../src/domain/wal/file-name.ts';
import { openStore } from '../../../src/repository/open.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import { serverAccount } from '../../support/postgres/account.ts';
import type { TestServer } from '../../support/postgres/server.ts';

/** The folders of a watcher's pod. */
export interface World {
  readonly root: string;
  readonly folders: NonNullable<Parameters<typeof runWatchWal>[0]['folders']>;
  readonly setRole: (username: string, password: string) => Promise<void>;
  readonly remove: () => Promise<void>;
}

export async function createWorld(server: Pick<TestServer, 'superuser' | 'password'>): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-watch-'));
  const credentials = join(root, mounts.credentials);
  await mkdir(credentials, { recursive: true });
  await mkdir(join(root, mounts.repository.volume(0)), { recursive: true });
  const keys = join(root, mounts.repository.credentials(0));
  await mkdir(keys, { recursive: true });
  await writeFile(join(keys, 'AWS_ACCESS_KEY_ID'), 'key');
  await writeFile(join(keys, 'AWS_SECRET_ACCESS_KEY'), 'secret');
  const setRole = async (username: string, password: string) => {
    await writeFile(join(credentials, 'username'), username);
    await writeFile(join(credentials, 'password'), password);
  };
  await setRole(server.superuser, server.password);
  const nowhere = join(root, 'nowhere');
  return {
    root,
    folders: {
      access: { credentials, serverCa: nowhere, clientCertificate: nowhere, systemCa: nowhere },
      mountRoot: root,
    },
    setRole,
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

export const volume: RepositoryTask = {
  name: 'local-disk',
  spec: backupRepositorySpec.parse({ volume: { claimName: 'backups' } }),
};

export function watchTask(server: Pick<TestServer, 'host' | 'port'>, more: Partial<WatchWalTask> = {}): WatchWalTask {
  const { walArchiving } = backupPolicySpec.parse({
    source: { host: server.host, credentialsSecretRef: { name: 'orders-db-backup' } },
    repositoryRefs: [{ name: 'local-disk' }],
    walArchiving: { mode: 'Stream' },
  });
  return {
    action: 'watch-wal',
    namespace: 'shop',
    policy: { name: 'orders', uid: 'b6a2' },
    ...walArchiving,
    server: {
      hosts: [server.host],
      port: server.port,
      database: 'postgres',
      role: 'Primary',
      credentialsSecretName: 'orders-db-backup',
    },
    repositories: [volume],
    slot: 'tidemark_shop_orders',
    ...more,
  };
}

export interface Running {
  readonly wal: () => WalStatus;
  /** Resolves with the first status that fits. */
  readonly until: (fits: (wal: WalStatus) => boolean | undefined) => Promise<WalStatus>;
  readonly stop: () => Promise<void>;
}

export const quickPace: Pace = {
  look: 100,
  report: 0,
  tracking: { surveyEvery: 300, surveyPause: 100, holeAge: 0, now: () => new Date() },
  reconnect: { first: 50, longest: 400 },
};

export function startWatch(world: World, task: WatchWalTask, pace: Pace = quickPace): Running {
  const ending = new AbortController();
  let wal: WalStatus = {};
  let wake = () => {};
  const done = runWatchWal({
    task,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    signal: ending.signal,
    folders: world.folders,
    pace,
    reporter: {
      progress: () => undefined,
      finish: async () => undefined,
      facts: async (status) => {
        wal = status.wal as WalStatus;
        wake();
      },
    },
  });
  return {
    wal: () => wal,
    async until(fits) {
      const deadline = Date.now() + 100_000;
      while (fits(wal) !== true) {
        if (Date.now() > deadline) throw new Error(`not within 100 s; the last status was ${JSON.stringify(wal)}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await Promise.race([promise, done, delay(1000)]);
      }
      return wal;
    },
    async stop() {
      ending.abort();
      await done;
    },
  };
}

/** The WAL of a server in the world's repository. */
export async function openArchive(world: World, systemIdentifier: string, repository = volume): Promise<WalArchive> {
  const store = await openStore(repository, 0, { mountRoot: world.root });
  return openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier });
}

export async function systemIdentifierOf(server: Pick<TestServer, 'psql'>): Promise<string> {
  return (await server.psql('SELECT system_identifier FROM pg_control_system()')).trim();
}

export const within = () => ({ signal: AbortSignal.timeout(20_000) });

export async function archivedNames(archive: WalArchive, timeline = 1): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of archive.list(timeline, within())) names.push(name);
  return names;
}

/** The segments that lie in the server's own pg_wal. */
export async function serverSegments(dataFolder: string): Promise<ReadonlyMap<string, Buffer>> {
  const folder = join(dataFolder, 'pg_wal');
  const names = (await readdir(folder)).filter((name) => parseWalFileName(name)?.kind === 'Segment');
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)));
}

/** Writes some WAL and closes the segment. */
export async function writeSegments(server: Pick<TestServer, 'psql'>, count: number): Promise<void> {
  await server.psql('CREATE TABLE IF NOT EXISTS load (i int, filler text)');
  for (let number = 0; number < count; number += 1) {
    await server.psql(`INSERT INTO load SELECT i, repeat('x', 500) FROM generate_series(1, 200) i`);
    await server.psql('SELECT pg_switch_wal()');
  }
}

/** Runs a tool of the server's major under the server's account. */
export async function asServer(bin: string, tool: string, args: readonly string[]): Promise<string> {
  const { uid, gid } = await serverAccount();
  const { stdout } = await execa(join(bin, tool), [...args], { uid, gid, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  return stdout;
}
