import { Failure, transient } from '../../domain/failure.ts';
import { startedName } from '../../domain/layout.ts';
import { isOrphan, type RunState } from '../../domain/orphan.ts';
import { type Started, startedFormat } from '../../domain/started.ts';
import { readStarted } from '../../repository/backups.ts';
import type { Store } from '../../repository/store.ts';

export interface ClaimOptions {
  readonly jobName: string;
  readonly pod: string;
  readonly deadlineSeconds: number;
  /** What became of the run that left a folder without a manifest. */
  readonly runState: (started: Started) => Promise<RunState>;
}

/**
 * Takes the folder of a copy, also over what an attempt left that is over: a copy goes on from it. One that may still be
 * written by somebody else is left to them.
 */
export async function claimFolder(
  store: Store,
  folder: string,
  backupID: string,
  { jobName, pod, deadlineSeconds, runState }: ClaimOptions,
  signal: AbortSignal,
): Promise<void> {
  const key = `${folder}/${startedName}`;
  const startTime = new Date().toISOString();
  // No BackupRun has such a name, so that nobody takes the copy for what a run that has ended left behind.
  const record: Started = {
    ...{ format: startedFormat, backupID, run: `copy:${jobName}`, jobName, pod, startTime, deadlineSeconds },
  };
  const body = Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`);
  const put = (ifAbsent: boolean) => store.put(key, body, { ifAbsent, contentType: 'application/json', signal });
  try {
    await put(true);
    return;
  } catch (error) {
    if (!(error instanceof Failure) || error.reason !== 'ObjectExists') throw error;
  }
  const started = await readStarted(store, folder, signal);
  const self = { jobName, pod };
  const own = started?.run === record.run && started.pod === pod;
  const over =
    own ||
    started === undefined ||
    isOrphan(
      { started, newestObject: undefined },
      { now: new Date(), self, runState: isCopy(started) ? 'missing' : await runState(started) },
    );
  if (!over) {
    throw transient(
      'BeingWritten',
      `${folder} in ${store.description} is being written by the Job ${started.jobName} since ${started.startTime}, or was left by it. It is taken over an hour after that Job's deadline (${started.deadlineSeconds} s); where the Job is no more, remove ${key} and start the copy again.`,
    );
  }
  await put(false);
}

function isCopy({ run }: Started): boolean {
  return run.startsWith('copy:');
}
