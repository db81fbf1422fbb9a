import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Store } from '../../../src/repository/store.ts';
import { serverAccount } from '../../support/postgres/account.ts';
import { runFolder } from '../../support/postgres/run-folder.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { createSetting, inventory, openRepository, type Setting, volumeRepository } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask, settings } from './physical-setting.ts';
import { startRestored } from './restored-server.ts';

let primary: TestServer;
let standby: TestServer;
let setting: Setting;
let store: Store;

beforeAll(async () => {
  primary = await startPostgres({ settings });
  await primary.psql('CREATE TABLE orders AS SELECT id FROM generate_series(1, 300000) id');
  standby = await startStandby(primary);
  setting = await createSetting(primary);
  store = await openRepository(setting, volumeRepository);
});

afterAll(async () => {
  await store?.close();
  await standby?.stop();
  await primary?.stop();
  await setting?.remove();
});

it.each(['Fetch', 'Stream'])('a backup of a standby with its WAL by %s starts as a server', async (walMethod) => {
  const { error, reporter } = await backUpPhysically(setting, physicalTask(standby, { walMethod }));
  if (error !== undefined) throw error;
  const backup = await physicalManifestOf(store, reporter.status);
  expect(backup.manifest.server.role).toBe('Standby');
  const restored = await startRestored(standby, store, backup);
  try {
    expect(await restored.psql('SELECT count(*) FROM orders')).toBe('300000');
  } finally {
    await restored.stop();
  }
});

it('a standby that is promoted meanwhile has no backup, and that is said', async () => {
  const before = (await inventory(store)).keys.length;
  const { error } = await backUpPhysically(setting, physicalTask(standby, { walMethod: 'Fetch', maxRate: '4M' }), {
    log: {
      info: (_: unknown, message?: string) => {
        if (message === 'the base backup begins') void standby.psql('SELECT pg_promote(false)');
      },
      warn: () => undefined,
      error: () => undefined,
    },
  });
  expect(error).toMatchObject({ reason: 'PromotedDuringBackup', retryable: true });
  expect((await inventory(store)).keys.length).toBe(before);
});

async function startStandby(origin: TestServer): Promise<TestServer> {
  const { uid, gid } = await serverAccount();
  const folder = await mkdtemp(join(await runFolder(), 'standby-'));
  const dataFolder = join(folder, 'data');
  const password = { PGPASSWORD: origin.password };
  const where = ['-h', origin.host, '-p', String(origin.port), '-U', origin.superuser];
  await execa(join(origin.bin, 'pg_basebackup'), ['-D', dataFolder, '-R', '-X', 'stream', '-c', 'fast', ...where], {
    env: password,
  });
  const port = await freePort();
  const own = { port: String(port), unix_socket_directories: folder, listen_addresses: '127.0.0.1' };
  const lines = Object.entries(own).map(([name, value]) => `${name} = '${value}'`);
  await appendFile(join(dataFolder, 'postgresql.conf'), `\n${lines.join('\n')}\n`);
  await execa('chown', ['-R', `${uid}:${gid}`, folder]);
  await chmod(dataFolder, 0o700);
  const server = spawn(join(origin.bin, 'postgres'), ['-D', dataFolder], { uid, gid, cwd: folder, stdio: 'ignore' });
  const exited = once(server, 'exit');
  for (const begun = Date.now(); ; await delay(20)) {
    const state = (await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[7]?.trim();
    if (state === 'standby' || state === 'ready') break;
    if (Date.now() - begun > 30_000) throw new Error('the standby did not start');
  }
  const psql = async (sql: string) => {
    const env = { PGHOST: folder, PGPORT: String(port), PGUSER: origin.superuser, PGDATABASE: 'postgres', ...password };
    const { stdout } = await execa(join(origin.bin, 'psql'), ['-X', '-q', '-A', '-t', '-f', '-'], { input: sql, env });
    return stdout;
  };
  const stop = async () => {
    server.kill('SIGINT');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  return { ...origin, port, dataFolder, psql, stop };
}

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
