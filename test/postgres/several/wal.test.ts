import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask } from '../../../src/domain/task.ts';
import { type Lsn, parseLsn } from '../../../src/domain/wal/lsn.ts';
import { openStore } from '../../../src/repository/open.ts';
import { openWalArchive, type WalArchive } from '../../../src/repository/wal-archive.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import {
  archivedNames,
  createWorld,
  openArchive,
  startWatch,
  systemIdentifierOf,
  volume,
  type World,
  watchTask,
  writeSegments,
} from '../watch-wal/world.ts';

let server: TestServer;
let world: World;
let first: WalArchive;
let second: WalArchive;
let systemIdentifier: string;

const other: RepositoryTask = {
  name: 'second-disk',
  spec: backupRepositorySpec.parse({ volume: { claimName: 'others' } }),
};

beforeAll(async () => {
  server = await startPostgres({ settings: { wal_keep_size: '4GB', autovacuum: 'off' } });
  systemIdentifier = await systemIdentifierOf(server);
});

beforeEach(async () => {
  world = await createWorld(server);
  await mkdir(join(world.root, mounts.repository.volume(1)), { recursive: true });
  first = await openArchive(world, systemIdentifier);
  const store = await openStore(other, 1, { mountRoot: world.root });
  second = openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier });
  return async () => {
    await first.store.close();
    await store.close();
    await world.remove();
    await server.psql('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
  };
});

afterAll(() => server?.stop());

const task = (minRepositories?: number) =>
  watchTask(server, { repositories: [volume, other], archiveTimeoutSeconds: 1, minRepositories });

/** As if its volume were not mounted. */
async function takeAway(index: number): Promise<() => Promise<void>> {
  const place = join(world.root, mounts.repository.volume(index));
  await rename(place, `${place}-away`);
  return () => rename(`${place}-away`, place);
}

async function slotAt(): Promise<Lsn> {
  return parseLsn(
    (await server.psql("SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'tidemark_shop_orders'")).trim(),
  );
}

async function currentPosition(): Promise<Lsn> {
  return parseLsn((await server.psql('SELECT pg_current_wal_lsn()')).trim());
}

test('with minRepositories 1 the slot goes on while one repository is away, which is said, and catches up after it', async () => {
  const watch = startWatch(world, task(1));
  try {
    await watch.until(({ report, slot }) => report?.healthy === true && slot !== undefined);
    await writeSegments(server, 2);
    await watch.until(({ lagBytes }) => BigInt(lagBytes ?? 1e9) < 1_000_000n);
    const back = await takeAway(1);
    const before = await currentPosition();
    await writeSegments(server, 3);
    const told = await watch.until(
      ({ report, lagBytes }) =>
        report?.healthy === true && report.message.includes('cannot be asked') && BigInt(lagBytes ?? 1e9) < 1_000_000n,
    );
    expect(told.report?.message).toContain('second-disk cannot be asked and gets none');
    await expect.poll(slotAt, { timeout: 120_000 }).toBeGreaterThan(before);
    const lacking = (await archivedNames(first)).length;
    await back();
    await writeSegments(server, 1);
    await watch.until(
      ({ report, gaps }) => report?.message.includes('cannot be asked') === false && gaps?.length === 0,
    );
    expect((await archivedNames(first)).length).toBeGreaterThanOrEqual(lacking);
    // The server goes on meanwhile: what the first has by now is what the second is to have.
    await expect
      .poll(async () => isDeepStrictEqual(await archivedNames(second), await archivedNames(first)), {
        timeout: 120_000,
      })
      .toBe(true);
  } finally {
    await watch.stop();
  }
});

test('by default the slot waits for every repository, and the condition says which one is missing', async () => {
  const watch = startWatch(world, task());
  try {
    await watch.until(({ report, slot }) => report?.healthy === true && slot !== undefined);
    await writeSegments(server, 1);
    await watch.until(({ lagBytes }) => BigInt(lagBytes ?? 1e9) < 1_000_000n);
    const back = await takeAway(1);
    const before = await currentPosition();
    await writeSegments(server, 3);
    await watch.until(({ report }) => report?.healthy === false && report.reason !== 'Connecting');
    expect(await slotAt()).toBeLessThanOrEqual(before);
    await back();
    await watch.until(({ report, lagBytes }) => report?.healthy === true && BigInt(lagBytes ?? 1e9) < 1_000_000n);
    expect(await archivedNames(second)).toEqual(await archivedNames(first));
    expect(await slotAt()).toBeGreaterThan(before);
  } finally {
    await watch.stop();
  }
});

test('a hole that another repository fills is no gap, and is closed from there', async () => {
  const watch = startWatch(world, task());
  await watch.until(({ report, slot }) => report?.healthy === true && slot !== undefined);
  await writeSegments(server, 4);
  await watch.until(({ lagBytes }) => BigInt(lagBytes ?? 1e9) < 1_000_000n);
  await watch.stop();
  const names = await archivedNames(first);
  const lost = names.slice(1, 3);
  await second.store.delete(
    lost.map((name) => second.keysOf(name).key),
    { signal: AbortSignal.timeout(120_000) },
  );
  const again = startWatch(world, task());
  try {
    await again.until(({ report }) => report?.healthy === true);
    await expect.poll(() => archivedNames(second), { timeout: 120_000 }).toEqual(await archivedNames(first));
    await again.until(({ gaps }) => gaps?.length === 0);
  } finally {
    await again.stop();
  }
});
