import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { catalogueStatus } from '../../../src/api/catalogue.ts';
import { retention as retentionSchema, retentionStatus } from '../../../src/api/retention.ts';
import type { SyncTask } from '../../../src/domain/task.ts';
import { createWorld as createCatalogue, taskOf } from '../../postgres/catalogue/world.ts';
import { hour } from '../../postgres/expire/manifest-of.ts';
import { createWorld as createRetention, lookInto } from '../../postgres/expire/world.ts';
import { type CrashPoints, startCrashPoints, type Work } from '../../support/faults/crash-points.ts';
import { killEverywhere, type Prepared } from '../../support/faults/kill-everywhere.ts';
import { chooseSeed } from '../../support/faults/random.ts';
import { sweepAsBackup } from '../../support/faults/sweep.ts';
import { bounded } from '../../support/faults.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';

vi.setConfig({ testTimeout: bounded(300_000, 7_200_000) });
const seed = chooseSeed();
let s3: S3Server;
let crash: CrashPoints;
let buckets = 0;

beforeAll(async () => {
  s3 = await startS3Server();
  crash = await startCrashPoints(s3.endpoint);
});
afterAll(async () => {
  await crash?.stop();
  await s3?.stop();
});

async function newBucket(): Promise<string> {
  buckets += 1;
  await s3.createBucket(`bucket-${buckets}`);
  return `bucket-${buckets}`;
}

/** The same repository by way of the crash points. */
function through<Repository extends { readonly spec: { readonly s3?: object | undefined } }>(repository: Repository) {
  return {
    ...repository,
    spec: { ...repository.spec, s3: { ...repository.spec.s3, endpoint: crash.s3 } },
  } as Repository;
}

const foldersOf = (mountRoot: string) => ({ mountRoot, scratch: mountRoot, temporary: mountRoot });

test('retention', async () => {
  const rules = { keepLast: 1, minBackups: 1 };
  const prepare = async (): Promise<Prepared> => {
    const bucket = await newBucket();
    const world = await createRetention({ server: s3, bucket });
    const { has, segments } = lookInto(() => world);
    const oldest = await world.backUp(40, { segment: 1 });
    const old = await world.backUp(30, { segment: 2 });
    const last = await world.backUp(3, { segment: 8 });
    await world.archiveWal(1, 1, 9);
    await world.expire(rules);
    const issuedTime = new Date(Date.now() + hour + 5000).toISOString();
    const { cluster } = world;
    const stateNow = async () => ({
      backups: [await has(oldest), await has(old), await has(last)],
      segments: await segments(),
      removed: [...new Set(cluster.removed)].sort(),
      plan: cluster.status.plan?.map(({ action }) => action),
    });
    return {
      work: {
        task: {
          action: 'expire',
          namespace: 'shop',
          policy: { name: 'orders', uid: 'u', generation: 1 },
          repositories: [through(world.repository)],
          retention: retentionSchema.parse(rules),
          timeZones: { Logical: 'Etc/UTC', Physical: 'Etc/UTC' },
          held: [],
          issuedTime,
        },
        folders: foldersOf(world.mountRoot),
        later: hour + 5000,
        cluster: (method, [first, second]) => {
          if (method === 'published') return cluster.published();
          if (method === 'isHeld') return cluster.isHeld(first as never);
          if (method === 'markRemoved') return cluster.markRemoved(first as never);
          if (method === 'facts') {
            const { retention } = first as { readonly retention?: unknown };
            if (retention !== undefined) cluster.status = retentionStatus.parse(retention);
          }
          return second;
        },
      },
      async always() {
        // The newest is never in danger, and no backup that is there lacks its WAL.
        expect(await has(last)).toBe(true);
        const kept = await segments();
        for (const number of [8, 9]) expect(kept.some((name) => name?.endsWith(`${number}.zst`) === true)).toBe(true);
        const manifest = async (backup: typeof old) =>
          (await world.keys()).some((key) => key.endsWith(`${backup.backupID}/manifest.json`));
        for (const [backup, segment] of [
          [oldest, 1],
          [old, 2],
        ] as const)
          if (await manifest(backup)) expect(kept.some((name) => name?.endsWith(`${segment}.zst`) === true)).toBe(true);
      },
      state: async () => {
        // What was cut short makes the next Jobs wait anew before they go on.
        await sweepAsBackup(world.store);
        for (const hours of [3, 5, 7]) expect((await world.expire(rules, { later: hours * hour })).failed).toBe(false);
        return stateNow();
      },
      async remove() {
        await world.remove();
        await rm(join(s3.folder, bucket), { recursive: true });
      },
    };
  };
  await killEverywhere('retention', { crash, prepare, seed, around: /delete/ });
});

test('the sync of the catalogue', async () => {
  const prepare = async (): Promise<Prepared> => {
    const bucket = await newBucket();
    const world = await createCatalogue({ server: s3, bucket });
    await world.backUp(3, { run: 'one' });
    await world.backUp(2, { run: 'two' });
    const gone = await world.backUp(1, { run: 'three' });
    await world.sync();
    // One has gone since, and one is new.
    const keys = (await world.keys()).filter((key) => key.includes(gone.backupID));
    await world.store.delete(keys, { signal: AbortSignal.timeout(120_000) });
    await world.backUp(0.5, { run: 'four' });
    let previous = world.status();
    const task: SyncTask = { ...taskOf(through(world.repository)), previous, scope: 'All' };
    const call: NonNullable<Work['cluster']> = (method, [first, second]) => {
      const { cluster } = world;
      if (method === 'runs') return cluster.runs();
      if (method === 'create') return cluster.create(first as never);
      if (method === 'find') return cluster.find(first as never);
      if (method === 'describe') return cluster.describe(first as never, second as never);
      if (method === 'place') return cluster.place(first as never, second as never);
      const { catalogue } = first as { readonly catalogue?: unknown };
      if (catalogue !== undefined) previous = catalogueStatus.parse(catalogue);
      return undefined;
    };
    return {
      work: { task, folders: foldersOf(world.mountRoot), cluster: call },
      state: async () => ({
        runs: world.cluster.names.map((name) => ({
          name,
          places: world.cluster.places(name),
          backup: world.cluster.get(name).status?.backupID?.replace(/^\d+T\d+Z/, ''),
        })),
        backups: previous.backups,
      }),
      async remove() {
        await world.remove();
        await rm(join(s3.folder, bucket), { recursive: true });
      },
    };
  };
  await killEverywhere('sync of the catalogue', { crash, prepare, seed, around: /describe|create/ });
});
