import { afterEach, expect, test } from 'vitest';
import { parseWalFileName } from '../../../src/domain/wal/file-name.ts';
import { readSegment } from '../../../src/domain/wal/read-segment.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { createWorld, openArchive, startWatch, systemIdentifierOf, type World, watchTask, within } from './world.ts';

const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function begin(major: number): Promise<{ readonly server: TestServer; readonly world: World }> {
  const server = await startPostgres({ major, settings: { wal_level: 'replica', autovacuum: 'off' } });
  endings.push(server.stop);
  const world = await createWorld(server);
  endings.push(world.remove);
  return { server, world };
}

const watched = (server: TestServer, world: World, more = {}) => {
  const watch = startWatch(world, watchTask(server, { archiveTimeoutSeconds: 1, ...more }));
  endings.push(watch.stop);
  return watch;
};

test.each([15, 17, 18])('an idle PostgreSQL %i has commits in its archive, and nothing else changes', async (major) => {
  const { server, world } = await begin(major);
  await server.psql(
    "CREATE ROLE receiver LOGIN REPLICATION PASSWORD 'secret'; GRANT EXECUTE ON FUNCTION pg_switch_wal() TO receiver",
  );
  await world.setRole('receiver', 'secret');
  const relations = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
  const before = await server.psql(relations);
  const watch = watched(server, world, { heartbeatSeconds: 1 });
  const first = await watch.until(
    ({ heartbeat, lastCommitTime }) => heartbeat !== undefined && lastCommitTime !== undefined,
  );
  const then = await watch.until(({ lastCommitTime = '' }) => lastCommitTime > (first.lastCommitTime ?? ''));
  expect(then.heartbeat).toEqual({ time: expect.any(String) });
  expect(then.report).toMatchObject({ healthy: true });
  expect(Date.now() - Date.parse(then.lastCommitTime ?? '')).toBeLessThan(20_000);
  await watch.stop();
  const archive = await openArchive(world, await systemIdentifierOf(server));
  const name = then.lastArchivedSegment ?? '';
  expect(parseWalFileName(name)?.kind).toBe('Segment');
  const facts = readSegment((await archive.get(name, within())) ?? Buffer.alloc(0), name);
  await archive.store.close();
  expect(facts.heartbeatSeconds).toBe(1);
  expect(await server.psql(relations)).toBe(before);
});

test('nobody asked for, none is written', async () => {
  const { server, world } = await begin(15);
  const watch = watched(server, world);
  await watch.until((wal) => wal.report?.reason === 'Streaming');
  const xid = () => server.psql('SELECT txid_snapshot_xmax(txid_current_snapshot())');
  const before = await xid();
  await watch.until((wal) => wal.lastArchivedSegment !== undefined || wal.report?.reason === 'Streaming');
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(await xid()).toBe(before);
  expect(watch.wal()).not.toHaveProperty('heartbeat');
});

test('a server that is read-only is left alone and says so; a connection that is ended is made anew', async () => {
  const { server, world } = await begin(15);
  const watch = watched(server, world, { heartbeatSeconds: 1 });
  const first = await watch.until(({ heartbeat }) => heartbeat?.time !== undefined);
  await server.psql('ALTER SYSTEM SET default_transaction_read_only = on');
  await server.psql('SELECT pg_reload_conf()');
  const stopped = await watch.until(({ heartbeat }) => heartbeat?.reason === 'ReadOnly');
  expect(stopped.report?.healthy).toBe(true);
  expect(stopped.report?.message).toContain('No heartbeat is written: the server is set to be read-only');
  expect(stopped.heartbeat?.time).toBeDefined();
  const xid = () => server.psql('SELECT txid_snapshot_xmax(txid_current_snapshot())');
  const before = await xid();
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(await xid()).toBe(before);
  await server.psql('SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only');
  await server.psql('SELECT pg_reload_conf()');
  const again = await watch.until(({ heartbeat }) => heartbeat !== undefined && heartbeat.reason === undefined);
  expect((again.heartbeat?.time ?? '') > (first.heartbeat?.time ?? '')).toBe(true);
  await server.psql(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_logical_emit_message%' AND pid <> pg_backend_pid()",
  );
  await watch.until(({ heartbeat }) => (heartbeat?.time ?? '') > (again.heartbeat?.time ?? ''));
});
