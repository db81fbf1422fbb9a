import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import {
  backUp,
  backupTask,
  createSetting,
  inventory,
  leftovers,
  manifestOf,
  openRepository,
  recordingReporter,
  type Setting,
  volumeRepository,
} from './setting.ts';

let server: TestServer;
let setting: Setting;

beforeAll(async () => {
  server = await startPostgres();
});
beforeEach(async () => {
  setting = await createSetting(server);
  return () => setting.remove();
});
afterAll(() => server?.stop());

async function expectNothingLeft(): Promise<void> {
  const store = await openRepository(setting, volumeRepository);
  expect(await inventory(store)).toEqual({ backups: [], keys: [] });
  await store.close();
  expect(await leftovers(setting)).toEqual([]);
}

describe('a database that is dropped while the backup runs', () => {
  beforeEach(async () => {
    for (const name of ['going_1', 'going_2']) {
      await server.psql(`CREATE DATABASE ${name}`);
      await server.psql('CREATE TABLE t AS SELECT 1 AS one', name);
    }
    return () =>
      server.psql(
        'DROP DATABASE IF EXISTS going_1 WITH (FORCE); DROP DATABASE IF EXISTS going_2 WITH (FORCE); DROP DATABASE IF EXISTS gone WITH (FORCE)',
      );
  });

  /** Runs when the databases are listed, before the first of them is dumped. */
  const onceListed = (act: () => Promise<unknown>) => {
    const reporter = recordingReporter();
    const facts = async (more: Readonly<Record<string, unknown>>) => {
      if (!('backupID' in reporter.status)) await act();
      await reporter.facts(more);
    };
    return { ...reporter, facts };
  };
  const task = (include: readonly string[], more: object = {}) =>
    backupTask(server, { logical: { databases: { include }, globals: 'None', ...more } });

  const expectOnlyTheSecond = async (status: Record<string, unknown>, message: string) => {
    expect(message).toMatch(/1 database,.*going_1 was dropped while the backup ran, and is not in it/);
    expect(status).toMatchObject({
      databases: [
        { name: 'going_1', state: 'Dropped', message: expect.stringContaining('not in it') },
        { name: 'going_2', state: 'Stored' },
      ],
      progress: { percent: 100 },
    });
    const store = await openRepository(setting, volumeRepository);
    const { manifest } = await manifestOf(store, status);
    expect(manifest.logical).not.toHaveProperty('failed');
    expect(manifest.logical.databases.map(({ name }) => name)).toEqual(['going_2']);
    expect((await inventory(store)).keys.filter((key) => key.includes('going_1'))).toEqual([]);
    await store.close();
  };

  test('before its turn is left out and told of where a pattern meant it', async () => {
    const reporter = onceListed(() => server.psql('DROP DATABASE going_1'));
    const { outcome } = await backUp(setting, task(['going*']), { reporter });
    expect(outcome.reason).toBe('BackupStored');
    await expectOnlyTheSecond(reporter.status, outcome.message);
  });

  test.each([{ format: 'Custom' }, { format: 'Directory', jobs: 2 }])(
    'in the middle of its dump too, and what was stored of it is removed ($format)',
    async (format) => {
      const holding = server
        .psql("BEGIN; LOCK TABLE t; SET application_name = 'holder'; SELECT pg_sleep(60)", 'going_1')
        .catch(() => undefined);
      const wait = (condition: string) =>
        server.psql(`DO $$ BEGIN LOOP
          PERFORM pg_stat_clear_snapshot();
          EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'going_1' AND ${condition});
          PERFORM pg_sleep(0.01); END LOOP; END $$`);
      await wait("application_name = 'holder' AND state = 'active'");
      const reporter = recordingReporter();
      const [{ outcome }] = await Promise.all([
        backUp(setting, task(['going*'], format), { reporter }),
        wait("wait_event_type = 'Lock'").then(() => server.psql('DROP DATABASE going_1 WITH (FORCE)')),
      ]);
      await holding;
      await expectOnlyTheSecond(reporter.status, outcome.message);
    },
  );

  test('fails the run where the policy names it, and the others are kept', async () => {
    const reporter = onceListed(() => server.psql('DROP DATABASE going_1'));
    await expect(backUp(setting, task(['going*', 'going_1']), { reporter })).rejects.toMatchObject({
      reason: 'DatabasesFailed',
      retryable: false,
      message: expect.stringMatching(
        /^1 of 2 databases .*going_1 was dropped while the backup ran, and .*include names it/,
      ),
    });
    expect(reporter.status['databases']).toMatchObject([
      { name: 'going_1', state: 'Failed' },
      { name: 'going_2', state: 'Stored' },
    ]);
  });

  test.each([
    ['renamed', 'ALTER DATABASE going_1 RENAME TO gone'],
    [
      'replaced under its name by one that cannot be reached',
      'ALTER DATABASE going_1 RENAME TO gone; CREATE DATABASE going_1 CONNECTION LIMIT 0',
    ],
  ])('is not taken for dropped when it was %s: a new attempt reads the list anew', async (_, sql) => {
    const act = async () => {
      for (const statement of sql.split('; ')) await server.psql(statement);
      await server.psql('ALTER DATABASE gone ALLOW_CONNECTIONS false');
    };
    await setting.setCredentials('going', 'pw');
    await server.psql("CREATE ROLE going LOGIN PASSWORD 'pw' IN ROLE pg_read_all_data");
    try {
      await expect(backUp(setting, task(['going*']), { reporter: onceListed(act) })).rejects.toMatchObject({
        reason: 'DatabaseMoved',
        retryable: true,
      });
      await expectNothingLeft();
    } finally {
      await server.psql('DROP ROLE going');
    }
  });

  test('is no backup where it was the only one', async () => {
    const reporter = onceListed(() => server.psql('DROP DATABASE going_1; DROP DATABASE going_2'));
    await expect(backUp(setting, task(['going*']), { reporter })).rejects.toMatchObject({
      reason: 'NothingToBackUp',
      retryable: false,
    });
    await expectNothingLeft();
  });

  test('half-way is not meant by a pattern, as with pg_dumpall', async () => {
    await server.psql("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'going_1'");
    const { reporter } = await backUp(setting, task(['going*']));
    expect(reporter.status['databases']).toMatchObject([{ name: 'going_2', state: 'Stored' }]);
    await expect(backUp(setting, task(['going_1']))).rejects.toMatchObject({ reason: 'DatabaseNotFound' });
  });
});
