import type { RecoverPatience } from '../../../src/agent/recover/run/context.ts';
import { readMountPoints } from '../../../src/agent/recover/run/place.ts';
import { runRecover } from '../../../src/agent/recover/run/run-recover.ts';
import { tellingVerdict } from '../../../src/agent/verify/tell-verdict.ts';
import { Failure, transient } from '../../../src/domain/failure.ts';
import type { RecoverTask } from '../../../src/domain/task.ts';

/**
 * Runs one recovery in a process of its own, because its account is the server's, which is not the tests'. Takes JSON as
 * its argument and writes JSON: how it ended, and what it told. SIGTERM cancels.
 */
export interface Given {
  readonly task: RecoverTask;
  readonly recovery: string;
  readonly mountRoot: string;
  readonly standbyCredentials: string;
  readonly credentials: string;
  readonly patience: Partial<RecoverPatience>;
  /** Paths that are to be taken for mount points besides the real ones. */
  readonly mountPoints: readonly string[];
}

export interface Told {
  readonly outcome?: { readonly reason: string; readonly message: string };
  readonly failure?: { readonly reason: string; readonly message: string; readonly retryable: boolean };
  readonly status: Record<string, unknown>;
  readonly stages: readonly string[];
}

const given: Given = JSON.parse(process.argv[2] ?? '');
const status: Record<string, unknown> = {};
const stages: string[] = [];
const stopping = new AbortController();
process.on('SIGTERM', () => stopping.abort(transient('Cancelled', 'It was cancelled.')));
const log = (fields: object, message?: string) => process.stderr.write(`${JSON.stringify(fields)} ${message ?? ''}\n`);
const { credentials } = given;

const context: Parameters<typeof runRecover>[0] = {
  task: given.task,
  log: { info: log, warn: log, error: log },
  signal: stopping.signal,
  reporter: {
    progress: () => undefined,
    facts: async (more) => {
      Object.assign(status, more);
      const { stage } = (more.progress ?? {}) as { readonly stage?: string };
      if (stage !== undefined && stages.at(-1) !== stage) stages.push(stage);
    },
    finish: async () => undefined,
  },
  folders: {
    mountRoot: given.mountRoot,
    recovery: given.recovery,
    standbyCredentials: given.standbyCredentials,
    access: { credentials, serverCa: credentials, clientCertificate: credentials, systemCa: '' },
    mountPoints: async () => new Set([...(await readMountPoints()), ...given.mountPoints]),
  },
  patience: given.patience,
};
const { source, plan, recovery } = given.task;
const place = { repository: source.repository, path: plan.backupPath, by: recovery.name, mountRoot: given.mountRoot };
const told = await tellingVerdict(context, place, (reporter) => runRecover({ ...context, reporter })).then(
  (outcome): Told => ({ outcome, status, stages }),
  (error: unknown): Told => ({
    failure:
      error instanceof Failure
        ? { reason: error.reason, message: error.message, retryable: error.retryable }
        : { reason: 'Error', message: error instanceof Error ? `${error.stack}` : String(error), retryable: false },
    status,
    stages,
  }),
);
process.stdout.write(JSON.stringify(told));
