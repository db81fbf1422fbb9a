import { runBackup } from '../../src/agent/backup/run-backup.ts';
import type { Reporter } from '../../src/agent/report.ts';
import { runRestore } from '../../src/agent/restore/run-restore.ts';
import { task as taskSchema } from '../../src/domain/task.ts';

/**
 * An agent of a logical backup or restore, with its mounts somewhere else and without an API server. Takes JSON as its
 * argument and writes what it told, and the most resident memory that its Node had, in bytes.
 */
const { task: given, folders } = JSON.parse(process.argv[2] ?? '');
const task = taskSchema.parse(given);
const status: Record<string, unknown> = {};
const quiet = () => undefined;
const complain = (fields: object, text?: string) => process.stderr.write(`${text ?? ''} ${JSON.stringify(fields)}\n`);
const reporter: Reporter = {
  progress: quiet,
  facts: async (more) => void Object.assign(status, more),
  finish: async () => undefined,
};
const log = { info: quiet, warn: complain, error: complain };
const signal = AbortSignal.timeout(3_600_000);

switch (task.action) {
  case 'backup':
    await runBackup({
      ...{ task, reporter, log, signal, folders },
      attempt: { run: 'bench', jobName: 'bench', pod: 'bench' },
      runState: async () => 'terminal',
    });
    break;
  case 'restore':
    await runRestore({ task, reporter, log, signal, folders });
    break;
  default:
    throw new Error(`nothing is measured of ${task.action}`);
}
process.stdout.write(JSON.stringify({ status, peakBytes: process.resourceUsage().maxRSS * 1024 }));
