import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import {
  archivedFiles,
  makeSetting,
  type Setting,
  type Sidecar,
  startSidecar,
  until,
} from '../../support/wal/sidecar.ts';

let setting: Setting;
let sidecar: Sidecar;
let server: TestServer;

beforeAll(async () => {
  setting = await makeSetting();
  sidecar = startSidecar(setting);
  server = await startPostgres({
    settings: {
      archive_mode: 'on',
      archive_command: setting.command,
      wal_level: 'replica',
      full_page_writes: 'on',
      wal_keep_size: '4GB',
    },
  });
});

afterAll(async () => {
  await server?.stop();
  await sidecar?.stop();
  await setting?.remove();
});

test('what the server writes is archived with the same bytes', async () => {
  await execa(join(server.bin, 'pgbench'), ['-i', '-s', '10', '-q'], { env: connection(server) });
  await server.psql('SELECT pg_switch_wal()');
  await settled(server);
  const archived = await archivedFiles(setting.volume);
  const done = await doneFiles(server);
  expect(done.length).toBeGreaterThan(5);
  for (const name of done) {
    const content = await readFile(join(server.dataFolder, 'pg_wal', name));
    expect(archived.get(name)?.equals(content), name).toBe(true);
  }
  expect(await server.psql('SELECT failed_count FROM pg_stat_archiver')).toBe('0');
});

test('a backlog is drained at speed, several at a time', async () => {
  await sidecar.stop();
  const before = Number(await server.psql('SELECT archived_count FROM pg_stat_archiver'));
  await server.psql("ALTER SYSTEM SET archive_command = ''");
  await server.psql('SELECT pg_reload_conf()');
  await execa(join(server.bin, 'pgbench'), ['-i', '-s', '60', '-q'], { env: connection(server) });
  const backlog = Number(await server.psql("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"));
  expect(backlog).toBeGreaterThan(30);
  sidecar = startSidecar(setting);
  const begun = performance.now();
  await server.psql('ALTER SYSTEM RESET archive_command');
  await server.psql('SELECT pg_reload_conf()');
  await settled(server);
  const seconds = (performance.now() - begun) / 1000;
  const archived = Number(await server.psql('SELECT archived_count FROM pg_stat_archiver')) - before;
  process.stdout.write(
    `${archived} segments in ${seconds.toFixed(1)} s: ${(archived / seconds).toFixed(1)} a second\n`,
  );
  expect(await readdir(join(setting.spool, 'incoming'))).toEqual(['.system']);
  expect(await readdir(join(setting.spool, 'done'))).toEqual([]);
});

function connection({ host, port, superuser, password }: TestServer) {
  return { PGHOST: host, PGPORT: String(port), PGUSER: superuser, PGPASSWORD: password, PGDATABASE: 'postgres' };
}

async function settled({ psql }: TestServer): Promise<void> {
  await until('nothing is ready', async () => {
    return (await psql("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'")) === '0';
  });
}

async function doneFiles({ dataFolder }: TestServer): Promise<readonly string[]> {
  const names = await readdir(join(dataFolder, 'pg_wal', 'archive_status'));
  return names.flatMap((name) => (name.endsWith('.done') ? [name.slice(0, -5)] : []));
}
