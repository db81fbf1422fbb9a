import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { formatLsn } from '../../../src/domain/wal/lsn.ts';
import { checkSegment, readSegment } from '../../../src/domain/wal/read-segment.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';

const mebibyte = 1024 ** 2;
let server: TestServer;

beforeAll(async () => {
  server = await startPostgres({
    settings: {
      wal_level: 'replica',
      wal_keep_size: '4GB',
      full_page_writes: 'on',
      max_prepared_transactions: '4',
      track_commit_timestamp: 'on',
    },
  });
  const { psql } = server;
  await psql('CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)');
  await psql("SELECT pg_create_restore_point('before the load')");
  // Small transactions, records of many pages, both kinds of commit, savepoints, and a rollback.
  await psql(
    `DO $$ BEGIN FOR i IN 1..2000 LOOP INSERT INTO t (body) VALUES (repeat(md5(i::text), i % 20)); COMMIT; END LOOP; END $$;
     BEGIN; SAVEPOINT one; INSERT INTO t (body) VALUES ('sub'); RELEASE one; COMMIT;
     BEGIN; INSERT INTO t (body) VALUES ('prepared'); PREPARE TRANSACTION 'two'; COMMIT PREPARED 'two';
     BEGIN; INSERT INTO t (body) VALUES ('gone'); ROLLBACK;`,
  );
  await psql("SELECT pg_logical_emit_message(false, 'large', repeat('x', 40 * 1024 * 1024))");
  await psql('SELECT pg_create_restore_point(\'Überall; ein "Name"\')');
  await psql('SELECT pg_switch_wal()');
  await psql('INSERT INTO t (body) SELECT repeat(md5(i::text), 30) FROM generate_series(1, 60000) i; CHECKPOINT');
  await psql('DO $$ BEGIN FOR i IN 1..20000 LOOP UPDATE t SET body = i WHERE id = i; COMMIT; END LOOP; END $$');
  await psql('SELECT pg_switch_wal()');
});

afterAll(() => server?.stop());

test('commits, restore points and the end agree with pg_waldump in every segment', async () => {
  const folder = join(server.dataFolder, 'pg_wal');
  const current = await server.psql('SELECT pg_walfile_name(pg_current_wal_lsn())');
  const names = (await readdir(folder)).filter((name) => /^[0-9A-F]{24}$/.test(name) && name < current).sort();
  expect(names.length).toBeGreaterThan(6);
  const systemIdentifier = await server.psql('SELECT system_identifier FROM pg_control_system()');
  let commits = 0;
  let seconds = 0;
  for (const name of names) {
    const content = await readFile(join(folder, name));
    expect(checkSegment(content, name, { systemIdentifier, segmentSize: 16 * mebibyte })).toMatchObject({
      major: 15,
      timeline: 1,
      systemIdentifier,
    });
    const begun = performance.now();
    const read = readSegment(content, name);
    seconds += (performance.now() - begun) / 1000;
    const dumped = await dump(folder, name);
    const where = `${name}: ${read.commits} commits`;
    expect(read.commits, where).toBe(dumped.commits.length);
    const times = dumped.commits.map((time) => time.getTime());
    expect(read.firstCommitTime?.getTime(), where).toBe(times.length === 0 ? undefined : Math.min(...times));
    expect(read.lastCommitTime?.getTime(), where).toBe(times.length === 0 ? undefined : Math.max(...times));
    expect(read.restorePoints.map((point) => point.name)).toEqual(dumped.restorePoints);
    if (dumped.lastStart !== undefined) {
      const end = formatLsn(read.endOfRecords);
      expect(read.endOfRecords > dumped.lastStart, `${where} ${end}`).toBe(true);
    }
    commits += read.commits;
  }
  expect(commits).toBeGreaterThan(18_000);
  process.stdout.write(`${names.length} segments read in ${Math.round(seconds * 1000)} ms\n`);
});

test('a record ends where the server says that it ends', async () => {
  const [lsn = ''] = (await server.psql("SELECT pg_create_restore_point('here')")).split('\n');
  const name = await server.psql(`SELECT pg_walfile_name('${lsn}')`);
  await server.psql('CHECKPOINT');
  const read = readSegment(await readFile(join(server.dataFolder, 'pg_wal', name)), name);
  const [point] = read.restorePoints;
  expect(point).toMatchObject({ name: 'here' });
  expect(formatLsn(point?.lsn ?? 0n)).toBe(lsn);
  expect(Math.abs(Date.now() - (point?.time.getTime() ?? 0))).toBeLessThan(60_000);
});

interface Dumped {
  readonly commits: readonly Date[];
  readonly restorePoints: readonly string[];
  readonly lastStart: bigint | undefined;
}

async function dump(folder: string, name: string): Promise<Dumped> {
  // It complains, and fails, where the last record goes on into the next segment.
  const { stdout } = await execa(join(server.bin, 'pg_waldump'), ['-p', folder, name, name], {
    reject: false,
    env: { TZ: 'UTC' },
    maxBuffer: 1024 ** 3,
  });
  const lines = stdout.split('\n');
  const commits = lines.flatMap((line) => {
    const time = /desc: COMMIT(?:_PREPARED)? (?:\d+: )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC/.exec(line)?.[1];
    return time === undefined ? [] : [new Date(`${time.replace(' ', 'T').slice(0, 23)}Z`)];
  });
  const restorePoints = lines.flatMap((line) => /desc: RESTORE_POINT (.*)$/.exec(line)?.[1] ?? []);
  const last = /lsn: ([0-9A-F]+)\/([0-9A-F]+)/.exec(lines.findLast((line) => line.startsWith('rmgr:')) ?? '');
  const lastStart =
    last?.[1] === undefined ? undefined : (BigInt(`0x${last[1]}`) << 32n) + BigInt(`0x${last[2] ?? '0'}`);
  return { commits, restorePoints, lastStart };
}
