import { runCopy } from '../../../src/agent/copy/run-copy.ts';
import type { CopyTask } from '../../../src/domain/task.ts';

/** Copies in a process of its own, which can be killed. Takes JSON as its argument. */
export interface Given {
  readonly task: CopyTask;
  readonly pod: string;
  readonly mountRoot: string;
}

const { task, pod, mountRoot }: Given = JSON.parse(process.argv[2] ?? '');
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const { message } = await runCopy({
  task,
  reporter: { progress: () => undefined, facts: async () => undefined, finish: async () => undefined },
  log,
  signal: AbortSignal.timeout(120_000),
  claim: { jobName: 'copy-orders', pod, runState: async () => 'missing' },
  folders: { mountRoot },
});
process.stdout.write(message);
