import { runEphemeralRestore } from '../../../src/agent/restore/ephemeral/run-ephemeral.ts';
import { Failure } from '../../../src/domain/failure.ts';
import { task } from '../../../src/domain/task.ts';

/** Runs one restore into a scratch server, under the account that the server has too. JSON in, JSON out. */
export interface Given {
  readonly task: object;
  readonly root: string;
}

export interface Told {
  readonly outcome?: { readonly reason: string; readonly message: string };
  readonly failure?: { readonly reason: string; readonly message: string; readonly retryable: boolean };
  readonly status: Readonly<Record<string, unknown>>;
}

const given: Given = JSON.parse(process.argv[2] ?? '');
const parsed = task.parse(given.task);
if (parsed.action !== 'restore') throw new Error('it is no restore');
const { root } = given;
const status: Record<string, unknown> = {};
const log = (fields: object, message?: string) => process.stderr.write(`${JSON.stringify(fields)} ${message ?? ''}\n`);
const told = await runEphemeralRestore({
  task: parsed,
  log: { info: log, warn: log, error: log },
  signal: AbortSignal.timeout(120_000),
  reporter: {
    progress: () => undefined,
    facts: async (more) => void Object.assign(status, more),
    finish: async () => undefined,
  },
  folders: { mountRoot: `${root}/mounts`, scratch: `${root}/scratch`, temporary: `${root}/tmp` },
  recovery: `${root}/recovery`,
  patience: { poll: 50, start: 30_000, stop: 30_000 },
}).then(
  (outcome): Told => ({ outcome, status }),
  (error: unknown): Told => ({
    failure:
      error instanceof Failure
        ? { reason: error.reason, message: error.message, retryable: error.retryable }
        : { reason: 'Error', message: error instanceof Error ? `${error.stack}` : String(error), retryable: false },
    status,
  }),
);
process.stdout.write(JSON.stringify(told));
