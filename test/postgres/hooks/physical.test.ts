import { expect, onTestFinished, test } from 'vitest';
import type { BackupTask } from '../../../src/domain/task.ts';
import { HookServer } from '../../support/hook-server.ts';
import { startPostgres } from '../../support/postgres/server.ts';
import { createSetting } from '../backup/setting.ts';
import { physicalTask, settings } from '../physical/physical-setting.ts';
import { backUpWithHooks } from './world.ts';

test('hooks stand around physical backups, increments too, and are told what was made', async () => {
  const server = await startPostgres({ major: 17, settings: { ...settings, summarize_wal: 'on' } });
  onTestFinished(() => server.stop());
  const receiver = await HookServer.start();
  onTestFinished(() => receiver.stop());
  const setting = await createSetting(server);
  onTestFinished(() => setting.remove());
  const hooks = {
    preBackup: [{ http: { url: receiver.url('/before') } }],
    postBackup: [{ http: { url: receiver.url('/after') } }],
  };
  const physical = { walMethod: 'Stream', allowFaultyIncrementals: true };
  for (const type of ['Full', 'Incremental'] as const) {
    const task: BackupTask = { ...physicalTask(server, physical), type };
    expect((await backUpWithHooks(setting, task, hooks)).outcome.reason).toBe('BackupStored');
  }
  expect(receiver.received.map(({ path }) => path)).toEqual(['/before', '/after', '/before', '/after']);
  expect(receiver.notices).toMatchObject([
    { method: 'Physical', type: 'Full', phase: 'Running' },
    { method: 'Physical', type: 'Full', phase: 'Completed', storedBytes: expect.stringMatching(/^[1-9]\d+$/) },
    { method: 'Physical', type: 'Incremental', phase: 'Running' },
    { method: 'Physical', type: 'Incremental', phase: 'Completed', backupID: expect.stringContaining('incremental') },
  ]);
});
