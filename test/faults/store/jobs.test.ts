import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Failure } from '../../../src/domain/failure.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { BackupTask } from '../../../src/domain/task.ts';
import { openStore } from '../../../src/repository/open.ts';
import type { Store } from '../../../src/repository/store.ts';
import {
  backUp,
  backupTask,
  createSetting,
  openRepository,
  type Setting,
  s3Repository,
} from '../../postgres/backup/setting.ts';
import { hour } from '../../postgres/expire/manifest-of.ts';
import { createWorld as createRetention, expire, lookInto } from '../../postgres/expire/world.ts';
import { backUpPhysically, physicalTask, settings } from '../../postgres/physical/physical-setting.ts';
import { createWorld } from '../../postgres/restore/world.ts';
import { chooseSeed, randomFrom } from '../../support/faults/random.ts';
import { type Schedule, scheduleOf } from '../../support/faults/schedule.ts';
import { sweepAsBackup } from '../../support/faults/sweep.ts';
import { bounded } from '../../support/faults.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type ScriptedProxy, startScriptedProxy } from '../../support/s3/scripted-proxy.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import { testSystem, writeSegment } from '../../support/wal/segment.ts';
import {
  archivedFiles,
  archiveTask,
  bring,
  exists,
  makeSetting,
  startSidecar,
  until,
  s3Repository as walRepository,
} from '../../support/wal/sidecar.ts';
import { orphansIn, requireTrueBackups } from '../crash/repository-state.ts';

vi.setConfig({ testTimeout: bounded(300_000, 7_200_000) });
const seed = chooseSeed();
const rounds = bounded(3, 40);
const rows = 'SELECT count(*), sum(i), md5(string_agg(md5, $$$$ ORDER BY i)) FROM rows';
let server: TestServer;
let s3: S3Server;
let setting: Setting;
let buckets = 0;

beforeAll(async () => {
  [server, s3] = await Promise.all([startPostgres({ settings }), startS3Server()]);
  setting = await createSetting(server, s3);
  await server.psql('CREATE DATABASE shop');
  await server.psql('CREATE TABLE rows AS SELECT i, md5(i::text) FROM generate_series(1, 5000) i', 'shop');
});
afterAll(async () => {
  await setting?.remove();
  await Promise.all([server?.stop(), s3?.stop()]);
});

interface Round {
  readonly bucket: string;
  readonly proxy: ScriptedProxy;
  readonly schedule: Schedule;
  /** For the message of whatever fails. */
  readonly where: () => string;
  readonly calm: () => void;
}

/** So many rounds, each in a bucket of its own and with the faults of its own number. */
async function inRounds(name: string, act: (round: Round) => Promise<'done' | 'failed'>): Promise<void> {
  const counted = { done: 0, failed: 0, faults: 0 };
  for (let number = 0; number < rounds; number += 1) {
    buckets += 1;
    const bucket = `bucket-${buckets}`;
    await s3.createBucket(bucket);
    const schedule = scheduleOf(randomFrom(seed + number * 1009 + name.length));
    const proxy = await startScriptedProxy(s3.endpoint, schedule.script);
    const where = () => `${name}, TIDEMARK_SEED=${seed}, round ${number}:\n${schedule.struck()}`;
    try {
      const calm = () => {
        proxy.script = () => 'forward';
      };
      counted[await act({ bucket, proxy, schedule, where, calm })] += 1;
      counted.faults += schedule.struck().split('\n').filter(Boolean).length;
    } finally {
      await proxy.stop();
      await rm(join(s3.folder, bucket), { recursive: true, force: true });
    }
  }
  process.stdout.write(`${name}: seed ${seed}, ${JSON.stringify(counted)}\n`);
}

/** A sentence for a person: what failed, and what to do. */
function requireWords(error: unknown, where: string): void {
  if (!(error instanceof Failure)) throw new Error(where, { cause: error });
  expect(error.reason, where).toMatch(/^[A-Z][A-Za-z]+$/);
  expect(error.reason, where).not.toBe('InternalError');
  expect(error.message, where).toMatch(/\w+.*[.:]/);
}

/** A backup under faults is a backup or a failure; the next one clears away what the faults have left. */
async function backupRound(round: Round, make: (task: 'struck' | 'calm', endpoint: string) => Promise<unknown>) {
  const { bucket, proxy, where, calm } = round;
  const store: Store = await openRepository(setting, s3Repository(s3, bucket));
  try {
    let error: unknown;
    await make('struck', proxy.endpoint).catch((thrown: unknown) => {
      error = thrown;
    });
    const complete = await requireTrueBackups(store);
    if (error === undefined) expect(complete.length, where()).toBe(1);
    else requireWords(error, where());
    calm();
    await make('calm', proxy.endpoint);
    expect((await requireTrueBackups(store)).length, where()).toBe(complete.length + 1);
    expect(await orphansIn(store), where()).toEqual([]);
    return error === undefined ? 'done' : 'failed';
  } finally {
    await store.close();
  }
}

const attempt = (pod: string) => ({ run: 'orders-manual', jobName: 'orders-manual', pod });

test('logical backups', async () => {
  await inRounds('logical backup', (round) =>
    backupRound(round, (which, endpoint) => {
      const repositories = [s3Repository({ ...s3, endpoint }, round.bucket)];
      const task: BackupTask = backupTask(server, { repositories, logical: { databases: { include: ['shop'] } } });
      return backUp(setting, task, { attempt: attempt(which) });
    }),
  );
});

test('physical backups', async () => {
  await inRounds('physical backup', (round) =>
    backupRound(round, async (which, endpoint) => {
      const repositories = [s3Repository({ ...s3, endpoint }, round.bucket)];
      const task = physicalTask(server, { walMethod: 'Stream' }, { repositories });
      const { error } = await backUpPhysically(setting, task, { attempt: attempt(which) });
      if (error !== undefined) throw error;
    }),
  );
});

test('restores: every row, or a failure that leaves nothing', async () => {
  const expected = await server.psql(rows, 'shop');
  await inRounds('restore', async ({ bucket, proxy, schedule, where, calm }) => {
    const place = { bucket, endpoint: proxy.endpoint, credentialsSecretRef: { name: 'store' } };
    const secret = { AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey };
    const world = await createWorld(server, { spec: { s3: place }, secret });
    try {
      calm();
      const backup = await world.backUp({ logical: { databases: { include: ['shop'] } } });
      proxy.script = schedule.script;
      const { error } = await world.restore(backup, { databases: [{ name: 'shop', targetName: 'back' }] });
      const databases = await server.psql("SELECT datname FROM pg_database WHERE datname ~ 'back|tidemark'");
      if (error === undefined) expect(await server.psql(rows, 'back'), where()).toBe(expected);
      else {
        requireWords(error, where());
        expect(databases, where()).toBe('');
      }
      return error === undefined ? 'done' : 'failed';
    } finally {
      await server.psql('DROP DATABASE IF EXISTS back');
      await world.remove();
    }
  });
});

test('archiving: nothing is acknowledged that is not stored', async () => {
  const timings = { look: 100, tell: 1500, grace: 2000, longestPause: 400 };
  await inRounds('archiving', async ({ bucket, proxy, where, calm }) => {
    const pod = await makeSetting();
    const credentials = pod.root + mounts.repository.credentials(0);
    await mkdir(credentials, { recursive: true });
    await writeFile(join(credentials, 'AWS_ACCESS_KEY_ID'), s3.accessKey);
    await writeFile(join(credentials, 'AWS_SECRET_ACCESS_KEY'), s3.secretKey);
    const sidecar = startSidecar(
      pod,
      archiveTask({ repositories: [walRepository({ endpoint: proxy.endpoint }, bucket)] }),
      timings,
    );
    try {
      await until('the spool is there', () => exists(join(pod.spool, 'archive.sh')));
      await writeSystem(pod.spool);
      const files = new Map(
        [1, 2, 3, 4, 5, 6].map((number) => {
          const name = `00000001000000000000000${number}`;
          return [name, writeSegment({ name }).content];
        }),
      );
      const answered = async (name: string) =>
        (await exists(join(pod.spool, 'done', name))) || (await exists(join(pod.spool, 'failed', name)));
      for (const [name, content] of files) await bring(pod, name, content);
      // What keeps failing is told in failed/, and tried on.
      await until('each has its word', async () => (await Promise.all([...files.keys()].map(answered))).every(Boolean));
      await requireStored(pod.spool, bucket, files, where());
      calm();
      const word = (
        await Promise.all([...files.keys()].map((name) => exists(join(pod.spool, 'failed', name))))
      ).includes(true);
      for (const [name, content] of files)
        if (!(await exists(join(pod.spool, 'done', name)))) await bring(pod, name, content);
      await until('all are stored', async () =>
        (await Promise.all([...files.keys()].map((name) => exists(join(pod.spool, 'done', name))))).every(Boolean),
      );
      await requireStored(pod.spool, bucket, files, where());
      return word ? 'failed' : 'done';
    } finally {
      await sidecar.stop();
      await pod.remove();
    }
  });
});

/** As the script does with the server's pg_control. */
async function writeSystem(spool: string): Promise<void> {
  const system = Buffer.alloc(8);
  system.writeBigUInt64LE(testSystem);
  await mkdir(join(spool, 'incoming'), { recursive: true });
  await writeFile(join(spool, 'incoming', '.system'), system);
}

async function requireStored(spool: string, bucket: string, files: ReadonlyMap<string, Buffer>, where: string) {
  const stored = await archivedFiles(join(s3.folder, bucket));
  for (const [name, content] of files) {
    if (!(await exists(join(spool, 'done', name)))) continue;
    expect(stored.get(name)?.equals(content), `${name}, ${where}`).toBe(true);
  }
}

test('retention: what is to stay stays, and in the end all is as without faults', async () => {
  const rules = { keepLast: 1, minBackups: 1 };
  const due = { later: hour + 5000 };
  await inRounds('retention', async ({ bucket, proxy, where }) => {
    const world = await createRetention({ server: s3, bucket });
    const { has, segments } = lookInto(() => world);
    const s3Spec = { ...world.repository.spec.s3, endpoint: proxy.endpoint };
    const repository = { ...world.repository, spec: { ...world.repository.spec, s3: s3Spec as never } };
    try {
      const old = await world.backUp(30, { segment: 2 });
      const last = await world.backUp(3, { segment: 8 });
      await world.archiveWal(1, 1, 9);
      await world.expire(rules);
      const struck = await expire({ ...world, repository }, rules, due);
      if (struck.failed) expect(struck.message, where()).toMatch(/\w+.*\./);
      expect(await has(last), where()).toBe(true);
      for (const number of [8, 9]) expect((await segments()).join(), where()).toContain(`${number}.zst`);
      // As the next Jobs find it: what could not be told is waited for anew.
      for (let job = 1; job <= 3 && (await has(old)); job += 1)
        await world.expire(rules, { later: job * (hour + 6000) + hour });
      await world.expire(rules, { later: 6 * hour });
      await sweepAsBackup(world.store);
      expect([await has(old), await has(last)], where()).toEqual([false, true]);
      expect(await segments(), where()).toEqual([8, 9].map((number) => expect.stringContaining(`${number}.zst`)));
      expect(await world.store.sweepUnfinished('', new Date(8.64e15), { signal: AbortSignal.timeout(120_000) })).toBe(
        0,
      );
      return struck.failed ? 'failed' : 'done';
    } finally {
      await world.remove();
    }
  });
});

test('credentials that expire in the middle and are renewed in their files', async () => {
  const folder = join(setting.folders.mountRoot, mounts.repository.credentials(0));
  await s3.createBucket('renewed');
  await writeFile(join(folder, 'AWS_ACCESS_KEY_ID'), 'EXPIRED');
  let refused = 0;
  const proxy = await startScriptedProxy(s3.endpoint, async ({ headers, index }) => {
    if (headers.authorization?.includes('Credential=EXPIRED/') !== true) return 'forward';
    refused += 1;
    if (index > 2) await writeFile(join(folder, 'AWS_ACCESS_KEY_ID'), s3.accessKey);
    return { answer: 400, body: '<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>' };
  });
  // It has answered before: what was renewed is waited for.
  const store = await openStore(s3Repository({ ...s3, endpoint: proxy.endpoint }, 'renewed'), 0, {
    mountRoot: setting.folders.mountRoot,
  });
  try {
    const begun = performance.now();
    await store.put('a', Buffer.from('content'), { ifAbsent: false, signal: AbortSignal.timeout(120_000) });
    expect((await store.get('a', { signal: AbortSignal.timeout(120_000) })).toString()).toBe('content');
    expect(refused).toBeGreaterThan(2);
    expect(performance.now() - begun).toBeLessThan(20_000);
  } finally {
    await store.close();
    await proxy.stop();
    await writeFile(join(folder, 'AWS_ACCESS_KEY_ID'), s3.accessKey);
  }
});
