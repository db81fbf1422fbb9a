import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { badName } from '../../../src/domain/layout.ts';
import { failedVerification } from '../../../src/domain/verification/failed.ts';
import { removeBackup } from '../../../src/repository/backups.ts';
import { isHeld } from '../../../src/repository/holds.ts';
import { putVerdict } from '../../../src/repository/verdicts.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { content } from '../expire/manifest-of.ts';
import { createWorld, pathOf, storeBackup, type World } from './world.ts';

const signal = () => AbortSignal.timeout(120_000);
const hour = 3_600_000;

let s3: S3Server;
beforeAll(async () => {
  s3 = await startS3Server();
});
afterAll(() => s3.stop());

describe.each(['a volume', 'S3'])('the catalogue of %s', (kind) => {
  let world: World;
  beforeEach(async () => {
    if (kind === 'a volume') world = await createWorld();
    else {
      const bucket = `catalogue-${randomBytes(4).toString('hex')}`;
      await s3.createBucket(bucket);
      world = await createWorld({ server: s3, bucket });
    }
  });
  afterEach(() => world.remove());

  test('becomes BackupRuns in a bare cluster, with all that the manifests say', async () => {
    const physical = await world.backUp(2);
    const logical = await world.backUp(1, { method: 'Logical', failed: 'app' });
    const { cluster } = world;
    expect(await world.sync()).toMatchObject({ reason: 'Synced', message: expect.stringContaining('holds 2 backups') });
    expect(cluster.names).toEqual(['run-1', 'run-2']);
    expect(cluster.get('run-1')).toMatchObject({
      metadata: { labels: { 'tidemark.dev/catalogue': 'store', 'tidemark.dev/policy': 'orders' } },
      spec: { policyRef: { name: 'orders' }, method: 'Physical', type: 'Full', hold: false, deletionPolicy: 'Retain' },
      status: {
        backupID: physical.backupID,
        checksum: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
        server: { version: '17', timeline: 1, role: 'Primary' },
        wal: { beginSegment: '000000010000000000000001' },
        size: { source: '100', stored: String(2 * content.length) },
        repositories: [{ name: 'store', state: 'Stored', path: pathOf(physical) }],
        report: { outcome: 'Succeeded', reason: 'InRepository' },
      },
    });
    expect(cluster.get('run-2').status).toMatchObject({
      backupID: logical.backupID,
      databases: [
        { name: 'app', state: 'Failed', message: 'no' },
        { name: 'shop', state: 'Stored', storedBytes: String(2 * content.length) },
      ],
      report: { outcome: 'Failed', reason: 'DatabasesFailed' },
    });
    const bytes = (await Array.fromAsync(world.store.list('shop/', { signal: signal() }))).reduce(
      (sum, { size }) => sum + size,
      0,
    );
    expect(world.status()).toMatchObject({ backups: 2, storedBytes: String(bytes), made: 2, lost: 0, unknown: 0 });
  });

  test('says again what verifications have found out of a backup', async () => {
    const [good, bad, odd] = [await world.backUp(3), await world.backUp(2), await world.backUp(1)];
    const found = { time: '2026-11-21T05:00:07.123Z', by: 'orders-verify-1', namespace: 'shop' };
    const { store, cluster } = world;
    await putVerdict(store, pathOf(good), 'Good', { ...found, restoreSeconds: 42 }, signal());
    const why = { reason: 'VerificationFailed', message: 'Amcheck: the index by_side is damaged' };
    await putVerdict(store, pathOf(bad), 'Bad', { ...found, ...why }, signal());
    await store.put(`${pathOf(odd)}/${badName}`, Buffer.from('?'), { ifAbsent: true, signal: signal() });
    await world.sync();
    expect(cluster.get('run-1').status).toMatchObject({
      verified: { time: '2026-11-21T05:00:07Z', restoreSeconds: 42, by: 'orders-verify-1' },
      conditions: [{ type: 'Verified', status: 'True', lastTransitionTime: '2026-11-21T05:00:07Z' }],
    });
    expect(cluster.get('run-2').status).toMatchObject({
      conditions: [
        {
          type: 'Verified',
          status: 'False',
          reason: 'VerificationFailed',
          message: expect.stringContaining('by_side'),
        },
      ],
    });
    expect(cluster.get('run-2').status).not.toHaveProperty('verified');
    expect(failedVerification(cluster.get('run-3'))).toBe(true);
    expect(world.status()).toMatchObject({ backups: 3, unknown: 0 });
  });

  test('is at rest afterwards, and a BackupRun that was deleted does not come back by itself', async () => {
    await world.backUp(2);
    await world.backUp(1);
    await world.sync({ later: hour });
    world.cluster.objects.delete('run-1');
    await world.sync({ later: 2 * hour });
    expect(world.cluster.names).toEqual(['run-2']);
    expect(world.status()).toMatchObject({ backups: 2, made: 0 });
    await world.sync({ later: 2 * hour, scope: 'All' });
    expect(world.cluster.names).toEqual(['run-1', 'run-2']);
  });

  test('tells what came since, also where only the folders are listed', async () => {
    await world.backUp(2);
    await world.sync();
    await world.backUp(1);
    await world.sync({ depth: 'Shallow' });
    expect(world.cluster.names).toEqual(['run-1', 'run-2']);
    expect(world.status()).toMatchObject({ backups: 2, made: 1 });
  });

  test('tells what is lost, and what is there again', async () => {
    const lost = await world.backUp(2);
    await world.backUp(1);
    await world.sync();
    await removeBackup(world.store, pathOf(lost), signal());
    expect(await world.sync({ depth: 'Shallow' })).toMatchObject({
      message: expect.stringContaining('1 is there no more'),
    });
    expect(world.cluster.places('run-1')).toEqual(['store Removed']);
    expect(world.cluster.get('run-1').status?.repositories?.[0]?.lost).toBe(true);
    expect(world.cluster.places('run-2')).toEqual(['store Stored']);
    await storeBackup(world.store, lost);
    await world.sync();
    expect(world.cluster.places('run-1')).toEqual(['store Stored']);
  });

  test('loses nothing that it cannot list, and nothing where nothing is left at all', async () => {
    const only = await world.backUp(1);
    await world.sync();
    await removeBackup(world.store, pathOf(only), signal());
    expect(await world.sync()).toMatchObject({ failed: true, reason: 'RepositoryEmpty' });
    expect(world.cluster.places('run-1')).toEqual(['store Stored']);
    expect(await world.sync({ mayBeEmpty: true })).toMatchObject({ failed: false });
    expect(world.cluster.places('run-1')).toEqual(['store Removed']);
  });

  test('never touches what it does not know, and says what that is', async () => {
    await world.backUp(1);
    const strange = [
      'shop/orders/archive-of-bob/tape-1',
      'shop/orders/7300000000000000001/notes/readme',
      'shop/orders/7300000000000000001/backups/holiday/photo.jpg',
    ];
    for (const key of strange) await world.store.put(key, content, { ifAbsent: true, signal: signal() });
    const damaged = 'shop/orders/7300000000000000001/backups/20260101T000000Z-logical/manifest.json';
    await world.store.put(damaged, Buffer.from('{'), { ifAbsent: true, signal: signal() });
    const before = await world.keys();
    const { message } = await world.sync();
    expect(world.status()).toMatchObject({ unknown: 5, made: 1 });
    for (const said of ['archive-of-bob/', 'notes/', 'holiday/', '20260101T000000Z-logical'])
      expect(message).toContain(said);
    expect(await world.keys()).toEqual(before);
    await world.sync({ later: hour });
    expect(world.status()).toMatchObject({ unknown: 5, made: 0 });
  });

  test('a hold outlives the cluster: it stands in the repository, and comes back with the BackupRun', async () => {
    const backup = await world.backUp(1);
    await world.sync();
    world.cluster.change('run-1', { spec: { hold: true } });
    await world.sync();
    expect(world.cluster.get('run-1').status?.repositories?.[0]?.held).toBe(true);
    expect(await isHeld(world.store, pathOf(backup), signal())).toBe(true);
    world.cluster.objects.clear();
    await world.sync({ scope: 'All' });
    expect(world.cluster.get('run-1')).toMatchObject({
      spec: { hold: true },
      status: { repositories: [{ state: 'Stored', held: true }] },
    });
    world.cluster.change('run-1', { spec: { hold: false } });
    await world.sync();
    expect(await isHeld(world.store, pathOf(backup), signal())).toBe(false);
    expect(world.cluster.get('run-1').status?.repositories?.[0]?.held).toBe(false);
  });

  test('read only: everything is known, and nothing is written', async () => {
    await world.backUp(1);
    const before = await Array.fromAsync(world.store.list('', { signal: signal() }));
    const readOnly = { ...world.repository, spec: { ...world.repository.spec, accessMode: 'ReadOnly' as const } };
    await world.sync({ repository: readOnly });
    world.cluster.change('run-1', { spec: { hold: true } });
    expect(await world.sync({ repository: readOnly })).toMatchObject({ failed: false });
    expect(await Array.fromAsync(world.store.list('', { signal: signal() }))).toEqual(before);
    expect(world.cluster.names).toEqual(['run-1']);
  });
});

describe('whose backups become BackupRuns', () => {
  let world: World;
  beforeEach(async () => {
    world = await createWorld();
  });
  afterEach(() => world.remove());

  test('those of the namespace alone; of another one only where it is named, and then marked', async () => {
    await world.backUp(2);
    await world.backUp(1, { namespace: 'prod' });
    await world.sync();
    expect(world.cluster.names).toEqual(['run-1']);
    await world.sync({ namespaces: ['prod'], place: 'prod' });
    expect(world.cluster.get('run-2').metadata.labels).toMatchObject({ 'tidemark.dev/origin-namespace': 'prod' });
    expect(world.cluster.places('run-1')).toEqual(['store Stored']);
  });

  test('a name that another backup has is not taken from it, nor the backup left out', async () => {
    world.cluster.add('run-1', {}, { backupID: 'another', phase: 'Completed' });
    await world.backUp(1);
    await world.sync();
    expect(world.cluster.names).toEqual(['run-1', expect.stringMatching(/^run-1-[0-9a-f]{10}$/)]);
    await world.sync({ scope: 'All' });
    expect(world.cluster.names).toHaveLength(2);
  });

  test('a run of this cluster that has not ended is left alone, and its backup looked at later', async () => {
    const running = world.cluster.add('run-1', {}, { phase: 'Running' });
    await world.backUp(1);
    await world.sync({ later: hour });
    expect(world.cluster.get('run-1')).toEqual(running);
    expect(world.status().knownUntil).toBeUndefined();
    world.cluster.objects.delete('run-1');
    await world.sync({ later: 2 * hour });
    expect(world.cluster.get('run-1').status?.report?.reason).toBe('InRepository');
  });

  test('what was created and not described when the cluster went away is described by the next sync', async () => {
    await world.backUp(1);
    world.cluster.losing = 1;
    expect(await world.sync()).toMatchObject({ failed: true, reason: 'ClusterUnreachable' });
    expect(world.cluster.get('run-1').status).toBeUndefined();
    await world.sync();
    expect(world.cluster.get('run-1').status?.backupID).toBeDefined();
    expect(world.cluster.names).toEqual(['run-1']);
  });

  test('no more than historyLimits leaves, so that none is made to be pruned', async () => {
    for (const daysAgo of [4, 3, 2, 1]) await world.backUp(daysAgo);
    const limits = [{ policy: 'orders', succeeded: 2 }];
    await world.sync({ limits });
    expect(world.cluster.names).toEqual(['run-3', 'run-4']);
    await world.backUp(0.5);
    await world.sync({ limits });
    expect(world.cluster.names).toEqual(['run-3', 'run-4', 'run-5']);
    // As the operator prunes.
    world.cluster.objects.delete('run-3');
    await world.sync({ limits, later: 2 * hour });
    expect(world.cluster.names).toEqual(['run-4', 'run-5']);
  });

  test('a second repository with the same backup is one more place of the same BackupRun', async () => {
    const backup = await world.backUp(1);
    await world.sync();
    const other = { ...world.repository, name: 'other' };
    await world.sync({ repository: other, previous: undefined });
    expect(world.cluster.names).toEqual(['run-1']);
    expect(world.cluster.places('run-1')).toEqual(['store Stored', 'other Stored']);
    expect(world.cluster.get('run-1').status?.backupID).toBe(backup.backupID);
  });

  test('a manifest that was moved elsewhere is not taken for what it says', async () => {
    const backup = await world.backUp(1);
    const body = await world.store.get(`${pathOf(backup)}/manifest.json`, { signal: signal() });
    const copy = 'shop/invoices/7300000000000000001/backups/20260101T000000Z-physical-full';
    await world.store.put(`${copy}/manifest.json`, body, { ifAbsent: true, signal: signal() });
    expect((await world.sync()).message).toContain('move the folder to where it belongs');
    expect(world.cluster.names).toEqual(['run-1']);
  });
});
