import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { removeArchiving, setUpArchiving } from '../../../src/agent/watch-wal/apply-settings.ts';
import { archiveCommand } from '../../../src/agent/watch-wal/settings.ts';
import { readAccess } from '../../../src/postgres/access.ts';
import { type ChosenServer, chooseServer } from '../../../src/postgres/choose-server.ts';
import { withConnection } from '../../../src/postgres/query.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { backupTask, createSetting, type Setting } from '../backup/setting.ts';

let server: TestServer;
let setting: Setting;

beforeAll(async () => {
  const archives = { archive_mode: 'on', archive_command: archiveCommand, archive_timeout: '60' };
  server = await startPostgres({ major: 17, settings: { wal_level: 'replica', ...archives } });
  setting = await createSetting(server);
});
afterAll(async () => {
  await server?.stop();
  await setting?.remove();
});

async function asWatcher<Result>(work: (chosen: ChosenServer) => Promise<Result>): Promise<Result> {
  const task = backupTask(server).server;
  const access = await readAccess(task, 'shop', setting.folders.access);
  return work(await chooseServer(task, access, AbortSignal.timeout(120_000)));
}

const setUp = (summarize: boolean) =>
  asWatcher((chosen) =>
    withConnection(chosen.access, 'postgres', AbortSignal.timeout(120_000), (query) =>
      setUpArchiving(query, chosen, 60, summarize),
    ),
  );
const shown = () => server.psql('SHOW summarize_wal');
const written = () => server.psql("SELECT count(*) FROM pg_file_settings WHERE name = 'summarize_wal' AND applied");

it('summarize_wal is set where increments are scheduled, without a restart, and is taken back with the archive', async () => {
  // In this server's own file, the command is not ours to take back.
  await server.psql(`ALTER SYSTEM SET archive_command = '${archiveCommand}'`);
  expect(await setUp(false)).toEqual({ state: 'Set' });
  expect(await shown()).toBe('off');
  expect(await setUp(true)).toEqual({ state: 'Set' });
  await vi.waitFor(async () => expect(await shown()).toBe('on'), { timeout: 120_000 });
  const removed = await asWatcher((chosen) =>
    withConnection(chosen.access, 'postgres', AbortSignal.timeout(120_000), (query) => removeArchiving(query, chosen)),
  );
  expect(removed).toEqual({ state: 'Removed' });
  expect(await written()).toBe('0');
});

it('a role that may not is told the command, and goes on archiving', async () => {
  await server.psql("CREATE ROLE watcher LOGIN PASSWORD 'watcher'");
  await server.psql('SELECT pg_reload_conf()');
  await vi.waitFor(async () => expect(await shown()).toBe('off'), { timeout: 120_000 });
  await setting.setCredentials('watcher', 'watcher');
  await server.psql(
    'GRANT SELECT ON pg_file_settings TO watcher; GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO watcher; GRANT pg_read_all_settings TO watcher',
  );
  expect(await setUp(true)).toMatchObject({
    state: 'Set',
    reason: 'SummarizeWalOff',
    message: expect.stringContaining('ALTER SYSTEM SET summarize_wal = on'),
  });
});
