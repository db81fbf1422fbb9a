import {
  CreateBucketCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { badName, manifestName, verifiedName } from '../../../src/domain/layout.ts';
import type { Manifest } from '../../../src/domain/manifest.ts';
import { putVerdict, readVerdict } from '../../../src/repository/verdicts.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { hour } from './manifest-of.ts';
import { createWorld, lookInto, pathOf, type World, wal } from './world.ts';

let server: S3Server;
let buckets = 0;
let world: World;
const { has, segments, planned } = lookInto(() => world);

beforeAll(async () => {
  server = await startS3Server();
});
afterAll(() => server.stop());
afterEach(() => world?.remove());

describe('objects that the store has locked', () => {
  const rules = { keepLast: 1, minBackups: 1 };
  const due = { later: hour + 5000 };
  let client: S3Client;
  let bucket: string;
  let old: Manifest;
  beforeEach(async () => {
    buckets += 1;
    bucket = `locked-${buckets}`;
    const credentials = { accessKeyId: server.accessKey, secretAccessKey: server.secretKey };
    client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
    world = await createWorld({ server, bucket });
    old = await world.backUp(30, { segment: 2 });
    await world.backUp(3, { segment: 8 });
    await world.archiveWal(1, 1, 9);
    await world.expire(rules);
  });
  afterEach(() => client.destroy());
  const until = new Date(Date.now() + 50 * hour);
  const retain = (Key: string) =>
    client.send(
      new PutObjectRetentionCommand({ Bucket: bucket, Key, Retention: { Mode: 'GOVERNANCE', RetainUntilDate: until } }),
    );
  const holdLegally = (Key: string, Status: 'ON' | 'OFF') =>
    client.send(new PutObjectLegalHoldCommand({ Bucket: bucket, Key, LegalHold: { Status } }));
  const date = (time: string | undefined) => Math.round(Date.parse(time ?? '') / 60_000);

  it('are a state with a date, and keep the whole backup and its WAL', async () => {
    await retain(`${pathOf(old)}/base/0.tar.zst`);
    const before = await world.keys();
    const said = await world.expire(rules, due);
    expect(said).toMatchObject({ failed: false, reason: 'Locked' });
    expect(planned(old)).toMatchObject({
      action: 'Locked',
      reason: expect.stringMatching(/locked its objects: until 20/),
    });
    expect(date(planned(old)?.dueTime)).toBe(date(until.toISOString()));
    const kept = before.filter((key) => !key.endsWith('000000010000000000000001.zst'));
    expect(await world.keys()).toEqual(kept);
    expect(await world.expire(rules, { later: 2 * hour })).toMatchObject({ reason: 'Locked' });
    expect(await world.keys()).toEqual(kept);
  });

  it('keep what verifications have said, and nothing is said to be good that is marked bad', async () => {
    const said = { time: new Date().toISOString(), by: 'orders-verify-1', namespace: 'shop' };
    const { store } = world;
    const signal = AbortSignal.timeout(120_000);
    const tell = (outcome: 'Good' | 'Bad', by: string) =>
      putVerdict(store, pathOf(old), outcome, { ...said, by }, signal);
    const told = () => readVerdict(store, pathOf(old), signal);
    await tell('Good', 'first');
    await retain(`${pathOf(old)}/${verifiedName}`);
    // This server has no versions, and refuses to write over what it has locked.
    await tell('Good', 'second');
    expect(await told()).toMatchObject({ outcome: 'Good', found: { by: 'first' } });
    await tell('Bad', 'third');
    await retain(`${pathOf(old)}/${badName}`);
    await tell('Bad', 'fourth');
    expect(await told()).toMatchObject({ outcome: 'Bad', found: { by: 'third' } });
    await expect(tell('Good', 'fifth')).rejects.toMatchObject({ retryable: false });
    expect(await told()).toMatchObject({ outcome: 'Bad' });
    const before = await world.keys();
    expect(await world.expire(rules, due)).toMatchObject({ failed: false, reason: 'Locked' });
    expect(await has(old)).toBe(true);
    expect((await world.keys()).filter((key) => key.startsWith(pathOf(old)))).toEqual(
      before.filter((key) => key.startsWith(pathOf(old))),
    );
  });

  it('without an end are tried again every day, and go when the lock has gone', async () => {
    await holdLegally(`${pathOf(old)}/${manifestName}`, 'ON');
    await world.expire(rules, due);
    expect(planned(old)).toMatchObject({ action: 'Locked', reason: expect.stringContaining('says no end') });
    await holdLegally(`${pathOf(old)}/${manifestName}`, 'OFF');
    await world.expire(rules, { later: 20 * hour });
    expect(await has(old)).toBe(true);
    await world.expire(rules, { later: 26 * hour });
    expect(await has(old)).toBe(false);
  });

  it('of the WAL wait too', async () => {
    await retain(`${wal}/00000001/000000010000000000000007.zst`);
    expect(await world.expire(rules, due)).toMatchObject({ failed: false });
    expect(world.cluster.status.wal).toMatchObject([{ timeline: 1, reason: expect.stringContaining('locked') }]);
    expect(date(world.cluster.status.wal?.[0]?.dueTime)).toBe(date(until.toISOString()));
    expect((await segments()).length).toBe(9);
  });
});
