import { runArchive } from '../../src/agent/archive/run-archive.ts';
import { runPhysicalBackup } from '../../src/agent/physical/run-physical-backup.ts';
import { runRecover } from '../../src/agent/recover/run/run-recover.ts';
import type { Reporter } from '../../src/agent/report.ts';
import { cancelled } from '../../src/agent/report-of.ts';
import { mounts } from '../../src/domain/mounts.ts';
import { task as taskSchema } from '../../src/domain/task.ts';

/**
 * An agent as its pod has it, but with its mounts somewhere else and without an API server. Takes JSON as its argument and
 * writes the status that it told. SIGTERM ends it, as it ends a pod.
 */
const { task: given, mountRoot, recovery } = JSON.parse(process.argv[2] ?? '');
const task = taskSchema.parse(given);
const status: Record<string, unknown> = {};
const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort(cancelled()));
const quiet = () => undefined;
const complain = (fields: object, text?: string) => process.stderr.write(`${text ?? ''} ${JSON.stringify(fields)}\n`);
const reporter: Reporter = {
  progress: quiet,
  facts: async (more) => void Object.assign(status, more),
  finish: async () => undefined,
};
const context = { log: { info: quiet, warn: complain, error: complain }, reporter, signal: stopping.signal };
const credentials = mountRoot + mounts.credentials;
const access = { credentials, serverCa: '/nonexistent', clientCertificate: '/nonexistent', systemCa: '/nonexistent' };

switch (task.action) {
  case 'backup':
    await runPhysicalBackup({
      ...context,
      task,
      attempt: { run: 'bench', jobName: 'bench', pod: 'bench' },
      runState: async () => 'terminal',
      folders: { mountRoot, access, scratch: `${mountRoot}/scratch`, temporary: `${mountRoot}/tmp` },
    });
    break;
  case 'archive':
    await runArchive({ ...context, task, folders: { mountRoot } });
    break;
  case 'recover':
    await runRecover({
      ...context,
      task,
      folders: { mountRoot, recovery, standbyCredentials: '/nonexistent', access, mountPoints: async () => new Set() },
    });
    break;
  default:
    throw new Error(`nothing is measured of ${task.action}`);
}
process.stdout.write(JSON.stringify(status));
