import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckResult } from '../../../src/api/checks.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { bundled } from '../../support/bundled.ts';
import { type Account, serverAccount } from '../../support/postgres/account.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import type { Given, Told } from './ephemeral-process.ts';
import { createWorld, damage, storedFiles, type World } from './world.ts';

let server: TestServer;
let world: World;
let account: Account;
let backupID: string;

beforeAll(async () => {
  account = await serverAccount();
  server = await startPostgres();
  world = await createWorld(server);
  const place = await mkdtemp(join(await runFolder(), 'space-'));
  await execa('chown', [`${account.uid}:${account.gid}`, place]);
  await server.psql(`CREATE ROLE clerk LOGIN PASSWORD 'secret'; CREATE TABLESPACE elsewhere LOCATION '${place}'`);
  await server.psql('CREATE DATABASE shop OWNER clerk');
  await server.psql(
    `CREATE TABLE orders (number int PRIMARY KEY, said text) TABLESPACE elsewhere;
     INSERT INTO orders SELECT n, md5(n::text) FROM generate_series(1, 500) n; ALTER TABLE orders OWNER TO clerk`,
    'shop',
  );
  await server.psql('CREATE TABLE notes AS SELECT 1 AS one', 'postgres');
  backupID = await world.backUp();
}, 60_000);
afterAll(async () => {
  await world?.remove();
  await server?.stop();
});

const everything = { verifyBackup: true, dataChecksums: true, amcheck: true, dump: true };
const owner = {
  database: 'shop',
  query: "SELECT tableowner || tablespace || (SELECT count(*) FROM orders) FROM pg_tables WHERE tablename = 'orders'",
  expect: 'clerkelsewhere500',
};

describe('a logical backup in an empty server of its own', () => {
  it('is restored whole, with roles and tablespaces, and found sound', async () => {
    const { told, log, left } = await restore({ assertions: [owner] });
    expect(told.failure, log).toBeUndefined();
    const checks = told.status.checks as readonly CheckResult[];
    expect(checks.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'Restore Passed',
      'Amcheck Passed',
      'Dump Passed',
      'Assertions Passed',
    ]);
    expect(told.status.restoreSeconds).toEqual(expect.any(Number));
    expect(left, 'the server has ended').toBe(0);
  });

  it('says which question it answers otherwise, and what else was asked', async () => {
    const { told } = await restore({ assertions: [{ ...owner, expect: 'nobody' }] });
    expect(told.failure).toMatchObject({ reason: 'AssertionFailed', retryable: false });
    expect(told.failure?.message).toMatch(/gave "clerkelsewhere500" instead of "nobody"/);
  });

  it('that is not there lets the container beside it end', async () => {
    const { told, left } = await restore({ backupID: '20200101T000000Z-logical' });
    expect(told.failure).toMatchObject({ reason: 'BackupNotFound' });
    expect(left).toBe(1);
  });

  it('is told to be damaged where it is', async () => {
    const [dump = ''] = (await storedFiles(world, backupID)).filter((path) => path.includes('dump.'));
    const whole = await readFile(dump);
    await damage(dump);
    try {
      const { told } = await restore({});
      expect(told.failure).toMatchObject({ reason: 'CorruptedBackup' });
    } finally {
      await writeFile(dump, whole);
    }
  });
});

/** The two containers of the Job's pod, as two processes of one account. */
async function restore(more: { readonly assertions?: readonly object[]; readonly backupID?: string }) {
  const root = await mkdtemp(join(await runFolder(), 'scratch-'));
  await chmod(root, 0o755);
  const volume = `${root}/mounts${mounts.repository.volume(0)}`;
  for (const name of ['recovery', 'data', 'scratch', 'tmp']) await mkdir(join(root, name));
  await cp(world.repository, volume, { recursive: true });
  await execa('chown', ['-R', `${account.uid}:${account.gid}`, root]);
  const folder = join(root, 'recovery');
  const wait = `while [ ! -e ${folder}/recover.sh ] && [ ! -e ${folder}/stop ]; do sleep 0.1; done; [ -e ${folder}/recover.sh ] || exit 1; exec sh ${folder}/recover.sh`;
  const own = { uid: account.uid, gid: account.gid, cwd: root };
  const child = spawn('sh', ['-c', wait], { ...own, stdio: 'ignore', env: { PATH: '/usr/bin:/bin' } });
  const ended = once(child, 'close');
  const task = {
    action: 'restore',
    namespace: 'shop',
    request: { name: 'orders-verify', uid: '11112222-0000-4000-8000-000000000001' },
    repository: { name: 'onsite', spec: { volume: { claimName: 'backups' } } },
    backup: { backupID: more.backupID ?? backupID },
    server: { hosts: ['none'], port: 5432, database: 'postgres', role: 'Primary', credentialsSecretName: 'none' },
    ephemeral: { dataDirectory: join(root, 'data', 'pgdata'), checks: everything },
    restore: {
      databases: [],
      globals: 'Restore',
      jobs: 2,
      noOwner: false,
      noPrivileges: false,
      role: '',
      exitOnError: true,
      assertions: more.assertions ?? [],
      dryRun: false,
    },
  };
  const given: Given = { task, root };
  try {
    const script = await bundled(fileURLToPath(new URL('./ephemeral-process.ts', import.meta.url)));
    const { stdout, stderr } = await execa(process.execPath, [script, JSON.stringify(given)], {
      ...own,
      env: { PATH: '/usr/bin:/bin', TIDEMARK_POSTGRESQL_ROOT: '/usr/lib/postgresql', HOME: root },
      extendEnv: false,
      reject: false,
    });
    if (stdout === '') throw new Error(`the agent said nothing:\n${stderr}`);
    const told: Told = JSON.parse(stdout);
    const log = await readFile(join(folder, 'server.log'), 'utf8').catch(() => '');
    const [left] = await ended;
    return { told, log: `${stderr}\n${log}`, left };
  } finally {
    child.kill('SIGTERM');
    await rm(root, { recursive: true, force: true });
  }
}
