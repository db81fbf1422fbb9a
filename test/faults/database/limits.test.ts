import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { whileAnswering } from '../../../src/agent/while-answering.ts';
import { readAccess } from '../../../src/postgres/access.ts';
import {
  backUp,
  backupTask,
  createSetting,
  inventory,
  openRepository,
  recordingReporter,
  type Setting,
  volumeRepository,
} from '../../postgres/backup/setting.ts';
import { backUpPhysically, physicalTask, settings } from '../../postgres/physical/physical-setting.ts';
import {
  createWorld,
  type Running,
  startWatch,
  type World,
  watchTask,
  writeSegments,
} from '../../postgres/watch-wal/world.ts';
import { expectWhole, lastWhole } from './archive-of.ts';
import { type Breakable, freezeProcess, startBreakable } from './breakable.ts';

const slot = 'tidemark_shop_orders';
let server: Breakable;
let setting: Setting;
const open: Client[] = [];

beforeAll(async () => {
  server = await startBreakable({
    settings: { ...settings, max_wal_senders: '3', max_connections: '12', wal_keep_size: '1GB' },
  });
  await server.psql(
    "CREATE ROLE agent LOGIN REPLICATION PASSWORD 'first'; GRANT pg_read_all_data, pg_monitor TO agent",
  );
  await server.psql('GRANT EXECUTE ON FUNCTION pg_switch_wal() TO agent');
  await server.psql('CREATE TABLE orders AS SELECT i FROM generate_series(1, 100000) i');
});

beforeEach(async () => {
  setting = await createSetting(server);
  await setting.setCredentials('agent', 'first');
  return () => setting.remove();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.end().catch(() => undefined)));
});

afterAll(() => server?.stop());

/** As a role that may not have the connections that are kept for superusers. */
async function connect(replication = false): Promise<Client> {
  const { host, port } = server;
  const client = new Client({
    ...{ host, port, user: 'agent', password: 'first', database: 'postgres' },
    ...(replication ? { replication: 'true' } : {}),
  } as ConstructorParameters<typeof Client>[0]);
  client.on('error', () => undefined);
  await client.connect();
  open.push(client);
  return client;
}

async function isEmpty(): Promise<void> {
  const store = await openRepository(setting, volumeRepository);
  expect((await inventory(store)).keys).toEqual([]);
  await store.close();
}

describe('what is used up', () => {
  test('WAL senders: a base backup says so and is tried again, the stream of WAL takes itself up', async () => {
    for (let sender = 0; sender < 3; sender += 1) await connect(true);
    const { error } = await backUpPhysically(setting, physicalTask(server, { walMethod: 'Fetch' }));
    expect(error).toMatchObject({
      reason: 'TooManyConnections',
      retryable: true,
      message: expect.stringMatching(/^No WAL sender is free(?!.*max_connections).*max_wal_senders/),
    });
    await isEmpty();
    const world = await createWorld(server);
    const watch = startWatch(world, watchTask(server));
    const told = await watch.until(({ report }) => report?.reason === 'TooManyConnections');
    expect(told.report?.message).toContain('max_wal_senders');
    await open.shift()?.end();
    await watch.until(({ report }) => report?.reason === 'Streaming');
    await watch.stop();
    await world.remove();
  });

  test('connections: said with the setting, nothing stays, and the next attempt is whole', async () => {
    for (let full = false; !full; )
      full = await connect().then(
        () => false,
        () => true,
      );
    await expect(backUp(setting, backupTask(server))).rejects.toMatchObject({
      reason: 'TooManyConnections',
      retryable: true,
      message: expect.stringContaining('max_connections'),
    });
    await isEmpty();
    await Promise.all(open.splice(0).map((client) => client.end()));
    await expect(backUp(setting, backupTask(server))).resolves.toMatchObject({ outcome: { reason: 'BackupStored' } });
  });

  test('a server that refuses the question whether it is there is there', async () => {
    const access = await readAccess(backupTask(server).server, 'shop', setting.folders.access);
    const quiet = () => undefined;
    const context = {
      task: backupTask(server),
      reporter: recordingReporter(),
      log: { info: quiet, warn: quiet, error: quiet },
      signal: AbortSignal.timeout(30_000),
    };
    const begun = performance.now();
    const outcome = whileAnswering(
      context,
      { access: { ...access, password: 'another' }, database: 'postgres' },
      async ({ signal }) => {
        while (performance.now() - begun < 1500) {
          signal.throwIfAborted();
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        return 'done';
      },
      { every: 50, answer: 500, silence: 500 },
    );
    await expect(outcome).resolves.toBe('done');
  });
});

describe('while WAL is streamed', () => {
  let world: World;
  let watch: Running;

  beforeEach(async () => {
    world = await createWorld(server);
    await world.setRole('agent', 'first');
    watch = startWatch(world, watchTask(server));
    await watch.until(({ report }) => report?.reason === 'Streaming');
  });

  afterEach(async () => {
    await watch.stop();
    await world.remove();
    await server.psql(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active`);
  });

  const breakOff = () => server.psql('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');

  async function expectOnward(): Promise<void> {
    await watch.until(({ report }) => report?.reason === 'Streaming');
    await writeSegments(server, 2);
    const last = await lastWhole(server);
    const wal = await watch.until(
      ({ lastArchivedSegment, report }) => (lastArchivedSegment ?? '') >= last && report?.healthy,
    );
    expect(wal.gaps).toEqual([]);
    await expectWhole(world, server);
  }

  test('the password is changed: what streams goes on, then it is asked for, and the new one is taken without a restart', async () => {
    await server.psql("ALTER ROLE agent PASSWORD 'second'");
    await writeSegments(server, 1);
    const told = await watch.until(({ report }) => report?.reason === 'WrongPassword');
    expect(told.report).toMatchObject({
      healthy: false,
      message: expect.stringContaining('Secret shop/orders-db-backup'),
    });
    await breakOff();
    await writeSegments(server, 1);
    await world.setRole('agent', 'second');
    await expectOnward();
    await server.psql("ALTER ROLE agent PASSWORD 'first'");
  });

  test('the role loses REPLICATION: it is told how to get it back, and nothing is missing then', async () => {
    await server.psql('ALTER ROLE agent NOREPLICATION');
    await breakOff();
    const told = await watch.until(({ report }) => report?.reason === 'PermissionDenied');
    expect(told.report?.message).toContain('ALTER ROLE "agent" REPLICATION');
    await writeSegments(server, 2);
    await server.psql('ALTER ROLE agent REPLICATION');
    await expectOnward();
  });

  test('pg_hba.conf refuses replication: the line to add is told, and nothing is missing then', async () => {
    const path = join(server.dataFolder, 'pg_hba.conf');
    const before = await readFile(path, 'utf8');
    await writeFile(path, 'local all all scram-sha-256\nhost all all all scram-sha-256\n');
    await server.psql('SELECT pg_reload_conf()');
    await breakOff();
    const told = await watch.until(({ report }) => report?.reason === 'AccessRefused');
    expect(told.report?.message).toContain('host replication "agent"');
    await writeSegments(server, 2);
    await writeFile(path, before);
    await server.psql('SELECT pg_reload_conf()');
    await expectOnward();
  });

  test('somebody drops the slot: a new one is made, and what the server still has is fetched', async () => {
    await writeSegments(server, 1);
    const stored = await lastWhole(server);
    await watch.until(({ lastArchivedSegment }) => (lastArchivedSegment ?? '') >= stored);
    await server.psql(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${slot}';
       DO $$BEGIN LOOP BEGIN PERFORM pg_drop_replication_slot('${slot}'); EXIT; EXCEPTION WHEN object_in_use THEN
         PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${slot}'; END; END LOOP; END$$`,
    );
    await expectOnward();
    expect(await server.psql(`SELECT count(*) FROM pg_replication_slots WHERE slot_name = '${slot}'`)).toBe('1');
  });

  test('role and server have time-outs for what waits: they end nothing', async () => {
    for (const name of ['statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout'])
      await server.psql(`ALTER ROLE agent SET ${name} = '50ms'`);
    // A role's own does not hold for a physical walsender, the server's does.
    await server.psql("ALTER SYSTEM SET idle_session_timeout = '1s'");
    await server.psql('SELECT pg_reload_conf()');
    await breakOff();
    await expectOnward();
    // The connection for the backup's WAL waits for its checkpoint, which may take long.
    const checkpointer = await server.psql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    const goOn = freezeProcess(Number(checkpointer));
    const waited = setTimeout(goOn, 2500);
    const made = await backUpPhysically(setting, physicalTask(server, { walMethod: 'Stream' }));
    clearTimeout(waited);
    goOn();
    expect(made.error).toBeUndefined();
    const logical = { format: 'Directory', jobs: 2 };
    await expect(backUp(setting, backupTask(server, { logical }))).resolves.toMatchObject({
      outcome: { reason: 'BackupStored' },
    });
    await server.psql('ALTER ROLE agent RESET ALL');
    await server.psql('ALTER SYSTEM RESET ALL');
    await server.psql('SELECT pg_reload_conf()');
  });
});

test('a lock that nobody gives back ends a dump by its time, with the table and how to find who', async () => {
  const holder = new Client({ ...server, user: server.superuser, database: 'postgres' });
  holder.on('error', () => undefined);
  await holder.connect();
  open.push(holder);
  await holder.query('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
  const task = backupTask(server, { logical: { extraArgs: ['--lock-wait-timeout=300'] } });
  await expect(backUp(setting, task)).rejects.toMatchObject({
    reason: 'LockTimeout',
    retryable: true,
    message: expect.stringMatching(/pg_locks.*public\.orders/),
  });
  await isEmpty();
});

test('WAL that is removed before it was sent ends a base backup with walMethod Fetch, and says what to choose', async () => {
  await server.psql('ALTER SYSTEM SET wal_keep_size = 0');
  await server.psql("ALTER SYSTEM SET max_wal_size = '32MB'");
  await server.psql("ALTER SYSTEM SET min_wal_size = '32MB'");
  await server.psql('SELECT pg_reload_conf()');
  let load: Promise<void> | undefined;
  const quiet = () => undefined;
  const log = {
    info: (_: unknown, message?: string) => {
      if (message !== 'the base backup begins') return;
      load = (async () => {
        for (let round = 0; round < 4; round += 1) {
          await writeSegments(server, 2);
          await server.psql('CHECKPOINT');
        }
      })();
    },
    warn: quiet,
    error: quiet,
  };
  const { error } = await backUpPhysically(setting, physicalTask(server, { walMethod: 'Fetch', maxRate: '8M' }), {
    log,
  });
  await load;
  expect(error).toMatchObject({
    reason: 'WalRemoved',
    retryable: true,
    message: expect.stringContaining('wal_keep_size'),
  });
  await isEmpty();
  await server.psql('ALTER SYSTEM RESET ALL');
  await server.psql('SELECT pg_reload_conf()');
});

test('a server that is still recovering when it is asked is tried again', async () => {
  await server.psql("ALTER SYSTEM SET restore_command = 'sleep 5; false'");
  await server.shutDown();
  await writeFile(join(server.dataFolder, 'recovery.signal'), '');
  await server.start({ ready: false });
  const attempt = async (): Promise<unknown> =>
    backUp(setting, backupTask(server)).then(
      () => undefined,
      (error: unknown) => error,
    );
  let error = await attempt();
  while (error instanceof Error && 'reason' in error && error.reason === 'ConnectionRefused') error = await attempt();
  expect(error).toMatchObject({ reason: 'ServerStarting', retryable: true });
  await isEmpty();
  await server.kill();
  await rm(join(server.dataFolder, 'recovery.signal'));
  await server.start();
  await expect(backUp(setting, backupTask(server))).resolves.toMatchObject({ outcome: { reason: 'BackupStored' } });
  await server.psql('ALTER SYSTEM RESET ALL');
});
