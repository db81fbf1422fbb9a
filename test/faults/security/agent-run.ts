import { runBackup } from '../../../src/agent/backup/run-backup.ts';
import { createAgentLog } from '../../../src/agent/log.ts';
import { runPhysicalBackup } from '../../../src/agent/physical/run-physical-backup.ts';
import { createReporter } from '../../../src/agent/report.ts';
import { reportOf } from '../../../src/agent/report-of.ts';
import { runRestore } from '../../../src/agent/restore/run-restore.ts';
import { task as taskSchema } from '../../../src/domain/task.ts';

/**
 * The agent with the folders of a pod somewhere else: it logs and reports as the program does, and writes what it would
 * tell the API server to standard output.
 */
const { folders } = JSON.parse(process.argv[2] ?? '{}');
const task = taskSchema.parse(JSON.parse(process.env.TIDEMARK_TASK ?? ''));
const log = createAgentLog({ job: 'run', pod: 'pod-1' });
const reporter = createReporter({
  apply: async (status) => void process.stdout.write(`STATUS ${JSON.stringify(status)}\n`),
  log,
  pod: 'pod-1',
  startTime: new Date(),
  terminationMessage: `${folders.mountRoot}/termination`,
});
const common = { reporter, log, signal: AbortSignal.timeout(120_000), folders };
const attempt = { run: 'run', jobName: 'run', pod: 'pod-1' };
const runState = async () => 'terminal' as const;
try {
  const outcome =
    task.action === 'backup'
      ? await (task.method === 'Physical' ? runPhysicalBackup : runBackup)({
          ...common,
          task,
          attempt,
          runState,
        } as never)
      : await runRestore({ ...common, task } as never);
  await reporter.finish({ outcome: 'Succeeded', ...outcome });
} catch (error) {
  const report = reportOf(error);
  log.error({ reason: report.reason, err: error }, report.message);
  await reporter.finish(report);
  process.exitCode = 3;
}
