import type { ActionOutcome } from '../../../src/agent/action.ts';
import { runArchive } from '../../../src/agent/archive/run-archive.ts';
import { type Folders, runBackup } from '../../../src/agent/backup/run-backup.ts';
import { runSync } from '../../../src/agent/catalogue/run-sync.ts';
import { runCopy } from '../../../src/agent/copy/run-copy.ts';
import { runDelete } from '../../../src/agent/delete.ts';
import { runExpire } from '../../../src/agent/expire/run-expire.ts';
import { runPhysicalBackup } from '../../../src/agent/physical/run-physical-backup.ts';
import { runRestore } from '../../../src/agent/restore/run-restore.ts';
import { Failure } from '../../../src/domain/failure.ts';
import type { Task } from '../../../src/domain/task.ts';

/**
 * Runs one task in a process of its own, as an agent's pod does, so that it can be killed. Takes JSON as its argument and
 * writes JSON: how it ended. What an agent tells and asks the API server goes to `control`.
 */
export interface Given {
  readonly task: Task;
  readonly folders: Folders;
  /** Of this attempt: a Job runs one pod after the other. */
  readonly pod: string;
  readonly control: string;
  /** Milliseconds from now, of the agent's clock. */
  readonly later?: number;
}

export interface Told {
  readonly outcome?: ActionOutcome;
  readonly failure?: { readonly reason: string; readonly message: string; readonly retryable: boolean };
}

const { task, folders, pod, control, later = 0 }: Given = JSON.parse(process.argv[2] ?? '');
const mountRoot = folders.mountRoot ?? '';
const jobName = 'the-job';
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const signal = AbortSignal.timeout(300_000);
const clock = () => new Date(Date.now() + later);

async function call<T>(method: string, ...args: readonly unknown[]): Promise<T> {
  const answer = await fetch(`${control}/${method}`, { method: 'POST', body: JSON.stringify(args) });
  const { result }: { readonly result: T } = JSON.parse(await answer.text());
  return result;
}

const reporter = {
  progress: () => undefined,
  facts: (status: Readonly<Record<string, unknown>>) => call<void>('facts', status),
  finish: async () => undefined,
};
const runState = async () => 'unknown' as const;

async function act(): Promise<ActionOutcome> {
  const context = { reporter, log, signal };
  switch (task.action) {
    case 'backup': {
      const backup = { ...context, task, runState, folders, attempt: { run: 'orders-manual', jobName, pod } };
      return task.method === 'Physical' ? runPhysicalBackup(backup) : runBackup(backup);
    }
    case 'restore':
      return runRestore({ ...context, task, folders });
    case 'copy':
      return runCopy({ ...context, task, claim: { jobName, pod, runState }, folders: { mountRoot } });
    case 'delete':
      return runDelete({ ...context, task }, mountRoot);
    case 'archive':
      return runArchive({ ...context, task, folders: { mountRoot } });
    case 'expire':
      return runExpire({
        ...context,
        task,
        jobName,
        mountRoot,
        clock,
        cluster: {
          published: () => call('published'),
          isHeld: ({ run, backupID }) => call('isHeld', { run, backupID }),
          markRemoved: ({ run, backupID }, repository) => call('markRemoved', { run, backupID }, repository),
        },
      });
    case 'sync-catalogue':
      return runSync({
        ...context,
        task,
        mountRoot,
        clock,
        cluster: {
          runs: () => call('runs'),
          create: (run) => call('create', run),
          find: (name) => call('find', name),
          describe: (name, status) => call('describe', name, status),
          place: (run, place) => call('place', run, place),
        },
      });
    default:
      throw new Error(`no ${task.action} here`);
  }
}

const told = await act().then(
  (outcome): Told => ({ outcome }),
  (error: unknown): Told => {
    if (!(error instanceof Failure)) throw error;
    const { reason, message, retryable } = error;
    return { failure: { reason, message, retryable } };
  },
);
process.stdout.write(JSON.stringify(told), () => process.exit(0));
