import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { restoreRequestSpec } from '../../../src/api/restore-request.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { RepositoryTask, Task } from '../../../src/domain/task.ts';
import { backupTask, createSetting, type Setting } from '../../postgres/backup/setting.ts';
import { generateGpgKey } from '../../postgres/encryption/gpg-keys.ts';
import { generateKeys } from '../../postgres/encryption/setting.ts';
import { physicalTask } from '../../postgres/physical/physical-setting.ts';
import { recover } from '../../postgres/recover/recovery.ts';
import { createSource, ownedFolder, planFor, taskFor } from '../../postgres/recover/source.ts';
import { bundled } from '../../support/bundled.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { type S3Server, startS3Server } from '../../support/s3/server.ts';
import type { Sampled, Watched } from './proc-sampler.ts';

const canary = (name: string) => `canary-${name}-${randomBytes(9).toString('hex')}`;
const password = canary('password');
const wrongPassword = canary('wrong-password');
const wrongKey = canary('s3');
const standbyPassword = canary('standby');

let server: TestServer;
let s3: S3Server;
let setting: Setting;
let needles: Readonly<Record<string, string>>;
let sampling: { readonly end: () => Promise<Sampled> };
/** All that the agent's process wrote, run by run. */
const told: string[] = [];
let age: RepositoryTask;
let gpg: RepositoryTask;
let plain: RepositoryTask;

beforeAll(async () => {
  [server, s3] = await Promise.all([
    startPostgres({ settings: { wal_level: 'replica', max_wal_senders: '4' } }),
    startS3Server(),
  ]);
  await s3.createBucket('backups');
  await server.psql(`create role canary superuser login password '${password}'`);
  await server.psql('create database shop');
  await server.psql('create table t as select generate_series(1, 1000) as id', 'shop');
  setting = await createSetting(server, s3);
  const [keys, key] = await Promise.all([generateKeys(), generateGpgKey()]);
  const identity = /AGE-SECRET-KEY-1[A-Z0-9]+/.exec(keys.identity)?.[0] ?? '';
  // A line from the middle of the key: its frame is the same for all.
  const secretLine = key.privateKey.split('\n').find((line) => /^[A-Za-z0-9+/]{60,}$/.test(line)) ?? '';
  expect([identity.length, secretLine.length].every((length) => length > 50)).toBe(true);
  needles = { password, wrongPassword, s3: s3.secretKey, wrongKey, identity, secretLine, standbyPassword };
  await mount(mounts.repository.identity(0), { 'age.txt': keys.identity, 'gpg.asc': key.privateKey });
  await mount(mounts.repository.publicKeys(0), { 'public.asc': key.publicKey });
  const store = { bucket: 'backups', endpoint: s3.endpoint, credentialsSecretRef: { name: 'offsite' } };
  const repository = (prefix: string, encryption?: object): RepositoryTask => ({
    name: prefix,
    spec: backupRepositorySpec.parse({ s3: { ...store, prefix }, ...(encryption === undefined ? {} : { encryption }) }),
  });
  age = repository('age', { age: { recipients: [keys.recipient], identitySecretRef: { name: 'a', key: 'age.txt' } } });
  gpg = repository('gpg', {
    gpg: {
      publicKeySecretRef: { name: 'p', key: 'public.asc' },
      recipients: [key.fingerprint],
      identitySecretRef: { name: 'g', key: 'gpg.asc' },
    },
  });
  plain = repository('plain');
  sampling = sample({ needles, spared: ['versitygw'] });
}, 120_000);

afterAll(async () => {
  await setting?.remove();
  await s3?.stop();
  await server?.stop();
});

describe('a secret is nowhere but in its Secret, after', () => {
  test('the sampler has shown that it sees what is there for a moment', async () => {
    const shown = canary('shown');
    const one = sample({ needles: { shown }, spared: [] });
    await execa('sleep', ['3'], { env: { SHOWN: shown } });
    await execa('sh', ['-c', 'sleep 3', shown]);
    const { seen } = await one.end();
    expect(seen.some((each) => each.startsWith('shown: environ of sleep'))).toBe(true);
    expect(seen.some((each) => each.startsWith('shown: cmdline of'))).toBe(true);
  });

  test.each<[string, () => RepositoryTask]>([
    ['age', () => age],
    ['gpg', () => gpg],
    ['no encryption', () => plain],
  ])('a dump and its restore, with %s', async (_, into) => {
    await login(password);
    const made = await run(
      backupTask(server, { repositories: [into()], logical: { databases: { include: ['shop'] } } }),
    );
    expect(made.status, made.output).toMatchObject({ report: { outcome: 'Succeeded' } });
    const asked = restoreRequestSpec.parse({
      source: { repository: { repositoryRef: { name: 'x' }, backupID: made.status['backupID'] } },
      target: { server: { host: server.host, credentialsSecretRef: { name: 'admin' } } },
      databases: [{ name: 'shop', targetName: `shop_${into().name}` }],
    });
    const restored = await run({
      action: 'restore',
      namespace: 'shop',
      request: { name: 'request', uid: 'u' },
      repository: into(),
      backup: { backupID: String(made.status['backupID']) },
      server: backupTask(server).server,
      restore: {
        ...asked,
        assertions: [{ database: `shop_${into().name}`, query: 'select count(*) from t', expect: '1000' }],
      },
    } as unknown as Task);
    expect(restored.status, restored.output).toMatchObject({ report: { outcome: 'Succeeded' } });
  });

  test('a base backup', async () => {
    await login(password);
    const made = await run(physicalTask(server, { walMethod: 'Fetch' }, { repositories: [age] }));
    expect(made.status, made.output).toMatchObject({ report: { outcome: 'Succeeded' } });
  });

  test('a wrong password, and a wrong key of the store', async () => {
    await login(wrongPassword);
    const refused = await run(backupTask(server, { repositories: [plain] }));
    expect(refused.status, refused.output).toMatchObject({ report: { outcome: 'Failed', reason: 'WrongPassword' } });
    await login(password);
    await mount(mounts.repository.credentials(0), { AWS_SECRET_ACCESS_KEY: wrongKey });
    const denied = await run(backupTask(server, { repositories: [plain] }));
    await mount(mounts.repository.credentials(0), { AWS_SECRET_ACCESS_KEY: s3.secretKey });
    expect(denied.status, denied.output).toMatchObject({ report: { outcome: 'Failed', reason: 'WrongCredentials' } });
  });

  test('an identity that does not fit, and a dump whose bytes were changed', async () => {
    const other = await generateKeys();
    await mount(mounts.repository.identity(0), { 'age.txt': `${other.identity}\n# ${needles['identity']}\n` });
    const listed = await run({
      ...restoreOf('20200101T000000Z-logical'),
      repository: age,
    } as unknown as Task);
    expect(listed.status, listed.output).toMatchObject({ report: { outcome: 'Failed' } });
  });

  test('a recovery that stays a standby', async () => {
    const source = await createSource();
    try {
      const manifest = await source.backUp();
      const end = await source.ship();
      const data = join(source.root, 'standby');
      const { host, port } = source.server;
      await source.server.psql(`create role replicator replication superuser login password '${standbyPassword}'`);
      const credentials = await ownedFolder(join(source.root, 'login'), source.account);
      await writeFile(join(credentials, 'username'), 'replicator');
      await writeFile(join(credentials, 'password'), standbyPassword);
      await execa('chown', ['-R', `${source.account.uid}`, credentials]);
      const standbyOf = { host, port, credentialsSecretName: 's' };
      const done = await recover(source, taskFor(planFor(manifest, end), {}, data, { standbyOf }), {
        standbyCredentials: credentials,
      });
      told.push(JSON.stringify(done));
      expect(done.outcome, done.log + done.agentLog).toMatchObject({ reason: 'StandbyReady' });
      // Where a standby has it, and nowhere else.
      expect(await readFile(join(data, 'postgresql.auto.conf'), 'utf8')).toContain(standbyPassword);
    } finally {
      await source.remove();
    }
  }, 120_000);

  test('all of that, in logs, status, events and last words', () => {
    const all = told.join('\n');
    expect(all).toContain(s3.endpoint);
    expect(all.length).toBeGreaterThan(5000);
    for (const [name, needle] of Object.entries(needles)) {
      expect(all.includes(needle), name).toBe(false);
      expect(all.includes(Buffer.from(needle).toString('base64').slice(0, 40)), `${name} in base64`).toBe(false);
      expect(all.includes(encodeURIComponent(needle)), `${name} in a URL`).toBe(false);
    }
  });

  test('all of that, in the arguments and environments of processes', async () => {
    const { looks, processes, seen } = await sampling.end();
    process.stdout.write(`canary: ${looks} looks at ${processes} processes\n`);
    expect(looks).toBeGreaterThan(50);
    expect(seen).toEqual([]);
  });

  test('all of that, in the files of the pod and the objects of the repository', async () => {
    const { mountRoot, scratch, temporary } = setting.folders;
    const secrets = ['credentials', 'identity', 'public-keys'];
    const found: string[] = [];
    for (const root of [mountRoot, s3.folder]) {
      for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || secrets.some((name) => entry.parentPath.endsWith(`/${name}`))) continue;
        const bytes = await readFile(join(entry.parentPath, entry.name));
        for (const [name, needle] of Object.entries(needles))
          if (bytes.includes(needle)) found.push(`${name} in ${join(entry.parentPath, entry.name)}`);
      }
    }
    expect(found).toEqual([]);
    expect([...(await readdir(scratch)), ...(await readdir(temporary))]).toEqual([]);
  });
});

function restoreOf(backupID: string): object {
  const asked = restoreRequestSpec.parse({
    source: { repository: { repositoryRef: { name: 'x' }, backupID } },
    target: { server: { host: server.host, credentialsSecretRef: { name: 'admin' } } },
  });
  return {
    action: 'restore',
    namespace: 'shop',
    request: { name: 'request', uid: 'u' },
    backup: { backupID },
    server: backupTask(server).server,
    restore: { ...asked, assertions: [] },
  };
}

async function login(secret: string): Promise<void> {
  await setting.setCredentials('canary', secret);
}

async function mount(place: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(setting.folders.mountRoot, place);
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o440 });
}

/** The agent as a process of its own, with the environment that a pod gives it. */
async function run(
  task: Task,
): Promise<{ readonly output: string; readonly status: Readonly<Record<string, unknown>> }> {
  const script = await bundled(new URL('./agent-run.ts', import.meta.url).pathname);
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE, TIDEMARK_POSTGRESQL_ROOT } = process.env;
  const { all = '' } = await execa(process.execPath, [script, JSON.stringify({ folders: setting.folders })], {
    env: { PATH, HOME, NODE_COMPILE_CACHE, TIDEMARK_POSTGRESQL_ROOT, TIDEMARK_TASK: JSON.stringify(task) } as never,
    extendEnv: false,
    all: true,
    reject: false,
  });
  const last = await readFile(join(setting.folders.mountRoot, 'termination'), 'utf8').catch(() => '');
  told.push(all, last);
  const status = all
    .split('\n')
    .filter((line) => line.startsWith('STATUS '))
    .map((line) => JSON.parse(line.slice(7)))
    .at(-1);
  return { output: all, status: status ?? {} };
}

function sample(watched: Watched): { readonly end: () => Promise<Sampled> } {
  const worker = new Worker(new URL('./proc-sampler.ts', import.meta.url), { workerData: watched });
  return {
    async end() {
      const said = once(worker, 'message');
      worker.postMessage('end');
      return (await said)[0] as Sampled;
    },
  };
}
