import type { ActionOutcome } from '../../../src/agent/action.ts';
import { runBackup } from '../../../src/agent/backup/run-backup.ts';
import { withHooks } from '../../../src/agent/hooks/with-hooks.ts';
import { runPhysicalBackup } from '../../../src/agent/physical/run-physical-backup.ts';
import { hooks as schema } from '../../../src/api/hooks.ts';
import type { BackupTask } from '../../../src/domain/task.ts';
import { recordingReporter, type Setting } from '../backup/setting.ts';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A real backup with hooks, as an attempt makes it up to its end. */
export async function backUpWithHooks(
  { folders }: Setting,
  asked: BackupTask,
  hooks: object,
  signal = AbortSignal.timeout(120_000),
) {
  const reporter = recordingReporter();
  const task = { ...asked, hooks: schema.parse(hooks) };
  const common = { task, log, signal, folders };
  const run = { name: 'orders-manual', uid: 'u-1' };
  const outcome: ActionOutcome = await withHooks({ ...common, reporter, run, client: undefined }, (told) => {
    const attempt = { run: run.name, jobName: run.name, pod: 'orders-manual-1' };
    const backup = { ...common, reporter: told, attempt, runState: async () => 'terminal' as const };
    return task.method === 'Physical' ? runPhysicalBackup(backup) : runBackup(backup);
  });
  await outcome.afterwards?.();
  return { outcome, reporter };
}
