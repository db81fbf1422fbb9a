import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSegment } from '../../../src/domain/wal/read-segment.ts';
import { bundled } from '../../support/bundled.ts';
import { archivedFiles, exists, makeSetting, type Setting, until } from '../../support/wal/sidecar.ts';
import { type SmallServer, startSmallServer } from '../../support/wal/small-segments.ts';

let setting: Setting;
let server: SmallServer;
let child: ChildProcess;

beforeAll(async () => {
  setting = await makeSetting();
  child = await start();
  await until('the script is there', () => exists(join(setting.spool, 'archive.sh')));
  server = await startSmallServer({ archive_mode: 'on', archive_command: setting.command });
});

afterAll(async () => {
  child?.kill('SIGKILL');
  await server?.stop();
  await setting?.remove();
});

async function start(): Promise<ChildProcess> {
  const program = await bundled(new URL('../../support/wal/archive-process.ts', import.meta.url).pathname);
  return spawn(process.execPath, [program, setting.root], { stdio: 'inherit' });
}

test('whenever the sidecar is killed, all that the server believes archived is archived, byte for byte', async () => {
  await server.psql('CREATE TABLE t (body text)');
  const writing = (async () => {
    for (let round = 0; round < 12; round += 1) {
      await server.psql('INSERT INTO t SELECT repeat(md5(random()::text), 60) FROM generate_series(1, 3500)');
      await delay(200);
    }
  })();
  let kills = 0;
  for (let ended = false; !ended; kills += 1) {
    ended = await Promise.race([writing.then(() => true), delay(300 + Math.random() * 500, false)]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await requireArchived();
    child = await start();
  }
  await server.psql('SELECT pg_switch_wal()');
  await until('nothing waits any more', async () => {
    const names = await readdir(join(server.dataFolder, 'pg_wal/archive_status'));
    return !names.some((name) => name.endsWith('.ready'));
  });
  const archived = await requireArchived();
  expect(archived).toBeGreaterThan(60);
  expect(kills).toBeGreaterThan(3);
  process.stdout.write(`${archived} segments of 1 MiB archived, ${kills} kills\n`);
});

/** Gives how many segments the server believes archived. */
async function requireArchived(): Promise<number> {
  const status = await readdir(join(server.dataFolder, 'pg_wal/archive_status'));
  const done = status.flatMap((name) => (name.endsWith('.done') ? [name.slice(0, -5)] : []));
  const archived = await archivedFiles(setting.volume);
  for (const name of done) {
    const content = await readFile(join(server.dataFolder, 'pg_wal', name));
    expect(archived.get(name)?.equals(content), name).toBe(true);
    expect(readSegment(content, name).segmentSize).toBe(1024 ** 2);
  }
  return done.length;
}
