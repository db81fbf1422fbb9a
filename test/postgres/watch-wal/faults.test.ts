import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nextSegmentName, parseWalFileName, segmentNameAt } from '../../../src/domain/wal/file-name.ts';
import { type Lsn, parseLsn } from '../../../src/domain/wal/lsn.ts';
import { bundled } from '../../support/bundled.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { until } from '../../support/tidemark/until.ts';
import { startMemoryS3 } from './memory-s3.ts';
import {
  archivedNames,
  createWorld,
  openArchive,
  serverSegments,
  startWatch,
  systemIdentifierOf,
  watchTask,
  within,
  writeSegments,
} from './world.ts';

const size = 16 * 1024 ** 2;
let server: TestServer;

beforeAll(async () => {
  server = await startPostgres({ settings: { wal_keep_size: '4GB', autovacuum: 'off', max_wal_senders: '10' } });
});

afterAll(() => server?.stop());

async function position(): Promise<Lsn> {
  return parseLsn((await server.psql('SELECT pg_current_wal_lsn()')).trim());
}

async function restart(slot: string): Promise<Lsn> {
  return parseLsn(
    (await server.psql(`SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '${slot}'`)).trim(),
  );
}

function next(name: string): string {
  const file = parseWalFileName(name);
  if (file?.kind !== 'Segment') throw new Error(`${name} is no segment`);
  return nextSegmentName(file.timeline, file.number, size);
}

describe('a repository that refuses one segment', () => {
  test('holds the slot before it and is named; when it takes it, nothing is missing', async () => {
    const world = await createWorld(server);
    const s3 = await startMemoryS3();
    const slot = 'refused';
    const watch = startWatch(world, watchTask(server, { repositories: [s3.repository], slot }));
    await watch.until(({ report }) => report?.reason === 'Streaming');
    const first = segmentNameAt(1, await position(), size);
    const refused = next(first);
    s3.refuse = (key) => key.includes(refused);
    await writeSegments(server, 5);
    const told = await watch.until(
      ({ report, pendingSegments = 0 }) => report?.reason === 'AccessDenied' && pendingSegments >= 4,
    );
    expect(told.setting).toMatchObject({ state: 'Refused', reason: 'AccessDenied' });
    expect(told.lastArchivedSegment).toBe(first);
    expect(told.report?.healthy).toBe(false);
    expect(segmentNameAt(1, await restart(slot), size) <= refused).toBe(true);
    expect(told.gaps).toEqual([]);
    s3.refuse = () => false;
    const last = segmentNameAt(1, (await position()) - BigInt(size), size);
    const wal = await watch.until(({ lastArchivedSegment, report }) => lastArchivedSegment === last && report?.healthy);
    expect(wal).toMatchObject({ gaps: [], setting: { state: 'Set' } });
    await until('the slot to follow', async () => segmentNameAt(1, (await restart(slot)) - 1n, size) === last);
    await watch.stop();
    await s3.stop();
    await world.remove();
  });
});

describe('a repository that takes requests and never answers', () => {
  test('is told of while it is waited for, and the server is looked at all the same', async () => {
    const world = await createWorld(server);
    const s3 = await startMemoryS3();
    const watch = startWatch(world, watchTask(server, { repositories: [s3.repository], slot: 'unanswered' }));
    await watch.until(({ report }) => report?.reason === 'Streaming');
    s3.silent = true;
    const told = await watch.until(({ report }) => report?.reason === 'StoreUnreachable');
    expect(told).toMatchObject({ report: { healthy: false }, slot: { name: 'unanswered' } });
    expect(told.report?.message).toContain('has not answered');
    await server.psql("ALTER SYSTEM SET synchronous_standby_names = '*'");
    await server.psql('SELECT pg_reload_conf()');
    await watch.until(({ setting }) => setting?.reason === 'SynchronousStandby');
    await server.psql('ALTER SYSTEM RESET synchronous_standby_names');
    await server.psql('SELECT pg_reload_conf()');
    await watch.stop();
    await s3.stop();
    await world.remove();
  });
});

describe('a receiver that is killed', () => {
  test('again and again under load leaves no gap, and every segment is the server’s own', async () => {
    const world = await createWorld(server);
    const archive = await openArchive(world, await systemIdentifierOf(server));
    const slot = 'killed';
    const input = JSON.stringify({ task: watchTask(server, { slot }), folders: world.folders });
    const script = await bundled(join(import.meta.dirname, 'watch-process.ts'));
    let loading = true;
    const load = writeSegments(server, 25).finally(() => {
      loading = false;
    });
    let kills = 0;
    for (let stored = 0; loading; kills += 1) {
      const child = spawn(process.execPath, [script, input], { stdio: 'ignore' });
      await until('another segment', async () => !loading || (await archivedNames(archive)).length > stored, {
        everyMilliseconds: 20,
      });
      stored = (await archivedNames(archive)).length;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await load;
    expect(kills).toBeGreaterThan(1);
    const last = segmentNameAt(1, (await position()) - BigInt(size), size);
    const watch = startWatch(world, watchTask(server, { slot }));
    const wal = await watch.until(({ lastArchivedSegment }) => lastArchivedSegment === last);
    await watch.stop();
    expect(wal.gaps).toEqual([]);
    const names = await archivedNames(archive);
    const own = await serverSegments(server.dataFolder);
    for (let index = 0, name = names[0] ?? ''; index < names.length; index += 1, name = next(name)) {
      expect(names[index]).toBe(name);
      const stored = await archive.get(name, within());
      expect(stored?.equals(own.get(name) ?? Buffer.alloc(0)), name).toBe(true);
    }
    await archive.store.close();
    await world.remove();
  });
});

describe('a server that is shut down', () => {
  test('does not wait for WAL that lies in the open segment', async () => {
    const short = await startPostgres();
    const world = await createWorld(short);
    const watch = startWatch(world, watchTask(short));
    await watch.until(({ report }) => report?.reason === 'Streaming');
    await short.psql('CREATE TABLE little AS SELECT 1');
    const begun = performance.now();
    await short.stop();
    expect(performance.now() - begun).toBeLessThan(10_000);
    const wal = await watch.until(({ report }) => report?.healthy === false);
    expect(wal.report?.message).toContain(`${short.host}:${short.port}`);
    await watch.stop();
    await world.remove();
  });
});
