import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCopy } from '../../../src/agent/copy/run-copy.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { manifestName } from '../../../src/domain/layout.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { isOrphan } from '../../../src/domain/orphan.ts';
import type { CopyTask, RepositoryTask } from '../../../src/domain/task.ts';
import { readManifest } from '../../../src/repository/backups.ts';
import type { Store } from '../../../src/repository/store.ts';
import { sweepOrphans } from '../../../src/repository/sweep-orphans.ts';
import { verifyObjects } from '../../../src/repository/verify-objects.ts';
import { bundled } from '../../support/bundled.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import {
  backUp,
  backupTask,
  createSetting,
  openRepository,
  recordingReporter,
  type Setting,
  s3Repository,
  volumeRepository,
} from '../backup/setting.ts';
import { generateKeys, identitySecret, type KeyPair, restore } from '../encryption/setting.ts';
import type { Given } from './copy-process.ts';

let server: TestServer;
let s3: S3Server;
let setting: Setting;
let keys: KeyPair;
let path: string;
let backupID: string;
const signal = AbortSignal.timeout(300_000);
const count = 'SELECT count(*), sum(i) FROM rows';

beforeAll(async () => {
  [server, s3, keys] = await Promise.all([startPostgres(), startS3Server(), generateKeys()]);
  setting = await createSetting(server, s3);
  await server.psql('CREATE DATABASE shop');
  await server.psql('CREATE TABLE rows AS SELECT i, md5(i::text) FROM generate_series(1, 20000) i', 'shop');
  const { reporter } = await backUp(setting, backupTask(server, { logical: { databases: { include: ['shop'] } } }));
  const [entry] = reporter.status.repositories as readonly { readonly path: string }[];
  path = entry?.path ?? '';
  backupID = String(reporter.status.backupID);
  const place = join(setting.folders.mountRoot, mounts.repository.volume(1));
  await rm(place, { recursive: true, force: true });
  await mkdir(dirname(place), { recursive: true });
  await symlink(join(setting.folders.mountRoot, mounts.repository.volume(0)), place);
});

afterAll(async () => {
  await setting?.remove();
  await Promise.all([server?.stop(), s3?.stop()]);
});

const source: RepositoryTask = {
  ...volumeRepository,
  spec: { ...volumeRepository.spec, accessMode: 'ReadOnly' },
};

let buckets = 0;
/** Encrypted for a key that the source is not encrypted for, so that every object is made anew. */
async function encryptedBucket(): Promise<RepositoryTask> {
  buckets += 1;
  await s3.createBucket(`cut-${buckets}`);
  const repository = s3Repository(s3, `cut-${buckets}`);
  const age = { recipients: [keys.recipient], identitySecretRef: identitySecret };
  return { ...repository, spec: backupRepositorySpec.parse({ ...repository.spec, encryption: { age } }) };
}

const through = (to: RepositoryTask, endpoint: string): RepositoryTask => ({
  ...to,
  spec: backupRepositorySpec.parse({ ...to.spec, s3: { ...to.spec.s3, endpoint } }),
});

function taskInto(to: RepositoryTask): CopyTask {
  return {
    action: 'copy',
    namespace: 'shop',
    repositories: [to, source],
    source: { namespace: 'shop', policy: 'orders' },
    backups: [backupID],
    wal: false,
    deadlineSeconds: 60,
  };
}

/** Passes requests on to the S3 server; `onWrite` is told before each that changes something, and may keep it from passing. */
async function startWatchedS3(onWrite: () => boolean) {
  const { hostname, port } = new URL(s3.endpoint);
  const pass = (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url = '/', headers } = incoming;
    if (['PUT', 'POST', 'DELETE'].includes(method) && !onWrite()) {
      response.socket?.destroy();
      return;
    }
    const outgoing = request({ hostname, port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.socket?.destroy());
    incoming.on('error', () => outgoing.destroy());
    incoming.pipe(outgoing);
  };
  const proxy: Server = createServer(pass);
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  const own = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    endpoint: `http://127.0.0.1:${own}`,
    async stop() {
      const closed = new Promise((resolve) => proxy.close(resolve));
      proxy.closeAllConnections();
      await closed;
    },
  };
}

/** Copies in a process that is killed when it is about to change something for the `last`th time. */
async function copyUntil(to: RepositoryTask, last: number, pod: string) {
  const script = await bundled(fileURLToPath(new URL('./copy-process.ts', import.meta.url)));
  let writes = 0;
  let kill = () => {};
  const proxy = await startWatchedS3(() => {
    writes += 1;
    if (writes < last) return true;
    kill();
    return false;
  });
  try {
    const given: Given = {
      task: taskInto(through(to, proxy.endpoint)),
      pod,
      mountRoot: setting.folders.mountRoot,
    };
    const child = execa(process.execPath, [script, JSON.stringify(given)], { reject: false });
    kill = () => void child.kill('SIGKILL');
    const { signal: killed, stdout, stderr } = await child;
    if (killed !== 'SIGKILL' && stdout === '') throw new Error(stderr);
    return { killed: killed === 'SIGKILL', message: stdout };
  } finally {
    await proxy.stop();
  }
}

async function keysIn(store: Store): Promise<readonly string[]> {
  return (await Array.fromAsync(store.list(`${path}/`, { signal }))).map(({ key }) => key.slice(path.length + 1));
}

async function expectWhole(store: Store): Promise<void> {
  const { manifest } = await readManifest(store, path, { signal });
  expect(manifest.encryption).toEqual({ scheme: 'age', recipients: [keys.recipient] });
  expect(await verifyObjects(store, path, manifest, signal)).toEqual([]);
  const named = [
    ...(manifest.method === 'Logical'
      ? manifest.logical.databases.flatMap(({ objects, contents }) => [...objects, contents])
      : []),
  ];
  const globals = manifest.method === 'Logical' ? manifest.logical.globals : undefined;
  const expected = [...named, ...(globals === undefined ? [] : [globals])].map((object) => object.path);
  expect((await keysIn(store)).toSorted()).toEqual([...expected, 'manifest.json', 'started.json'].toSorted());
}

/** All that is there is encrypted, but for what says who writes. */
async function expectNothingPlain(store: Store): Promise<void> {
  for (const name of await keysIn(store)) {
    if (name.endsWith('.json')) continue;
    expect((await store.get(`${path}/${name}`, { signal })).subarray(0, 21).toString(), name).toBe(
      'age-encryption.org/v1',
    );
  }
}

test('a copy that encrypts anew and is killed at any point is no backup, can be swept, and is completed by the next', async () => {
  const points: string[] = [];
  for (let last = 1; ; last += 1) {
    const to = await encryptedBucket();
    const first = await copyUntil(to, last, 'copy-orders-1');
    const store = await openRepository(setting, to);
    try {
      if (!first.killed) {
        await expectWhole(store);
        break;
      }
      points.push(`${last}: ${(await keysIn(store)).join(' ')}`);
      await expect(readManifest(store, path, { signal })).rejects.toMatchObject({ reason: 'BackupNotFound' });
      await expectNothingPlain(store);
      const later = new Date(Date.now() + 2 * 3_600_000);
      const policy = { namespace: 'shop', policy: 'orders' };
      const sweep = (now: Date) =>
        sweepOrphans(store, policy, (found) => isOrphan(found, { now, runState: 'missing' }), signal);
      if (last % 2 === 0) {
        // Not while it may still be at work.
        expect(await sweep(new Date())).toEqual([]);
        expect(await sweep(later)).toEqual([path]);
        expect(await keysIn(store)).toEqual([]);
      }
      const second = await copyUntil(to, Number.POSITIVE_INFINITY, 'copy-orders-2');
      expect(second.message).toMatch(/^1 backup copied/);
      await expectWhole(store);
    } finally {
      await store.close();
    }
  }
  // Its claim, three objects, the journal taken away, the manifest.
  expect(points.length).toBeGreaterThanOrEqual(5);
  process.stdout.write(`killed before each of ${points.length} changes:\n${points.join('\n')}\n`);
}, 180_000);

test('a copy that is told to stop has what it brought written down, and the next does not send it again', async () => {
  const to = await encryptedBucket();
  const ending = new AbortController();
  let writes = 0;
  // The claim and an object; with the next one it is told to stop.
  const proxy = await startWatchedS3(() => {
    writes += 1;
    if (writes === 3) ending.abort(new Failure('Cancelled', 'told to stop', { retryable: true }));
    return true;
  });
  const run = (into: RepositoryTask, stop: AbortSignal, pod: string) =>
    runCopy({
      task: taskInto(into),
      reporter: recordingReporter(),
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      signal: stop,
      claim: { jobName: 'copy-orders', pod, runState: async () => 'missing' },
      folders: setting.folders,
    });
  const store = await openRepository(setting, to);
  try {
    await expect(run(through(to, proxy.endpoint), ending.signal, 'copy-orders-1')).rejects.toThrow('told to stop');
    expect(await keysIn(store)).not.toContain(manifestName);
    expect(await keysIn(store)).toContain('copied.json');
    const { message } = await run(to, signal, 'copy-orders-2');
    expect(message).toMatch(/[1-9][0-9]* bytes there from an earlier attempt/);
    await expectWhole(store);
  } finally {
    await proxy.stop();
    await store.close();
  }
  const folder = join(setting.folders.mountRoot, mounts.repository.identity(0));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, identitySecret.key), keys.identity);
  const target = { databases: [{ name: 'shop', targetName: 'shop_again' }] };
  const restored = await restore(setting, server, to, backupID, target, { path });
  expect(restored.error).toBeUndefined();
  expect(await server.psql(count, 'shop_again')).toBe(await server.psql(count, 'shop'));
});
