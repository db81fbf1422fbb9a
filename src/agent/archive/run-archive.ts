import { Failure } from '../../domain/failure.ts';
import { mounts } from '../../domain/mounts.ts';
import type { ArchiveTask } from '../../domain/task.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import { openDestinations } from './destinations.ts';
import { type DispatchTimings, dispatch } from './dispatch.ts';
import { installScript } from './script.ts';
import { openSpool } from './spool.ts';

export interface ArchiveContext extends ActionContext<ArchiveTask> {
  readonly folders?: { readonly mountRoot: string };
  readonly timings?: DispatchTimings;
}

/**
 * The sidecar: archives what the server's archive_command puts into the spool until the signal aborts. The script comes
 * first, since the server starts only when it is there; whatever else fails is told by the script in the server's log.
 */
export async function runArchive(context: ArchiveContext): Promise<ActionOutcome> {
  const { task, log, signal, folders, timings } = context;
  const root = `${folders?.mountRoot ?? ''}${mounts.walSpool}`;
  const spool = await openSpool(root);
  await installScript(root);
  const destinations = openDestinations(task, folders?.mountRoot, log);
  const repositories = task.repositories.map(({ name }) => name);
  log.info({ policy: task.policy.name, repositories, spool: root }, 'archiving what comes');
  try {
    const tally = await dispatch({
      spool,
      destinations,
      systemIdentifier: task.systemIdentifier,
      maxParallel: task.maxParallel,
      log,
      signal,
      ...(timings === undefined ? {} : { timings }),
    });
    const { reason } = signal;
    if (reason instanceof Failure && reason.reason !== 'Cancelled') throw reason;
    const { files, bytes } = tally.total();
    return {
      reason: 'ArchivingStopped',
      message: `Archived ${files} files (${bytes} bytes) until it was told to stop.`,
    };
  } finally {
    await destinations.close();
  }
}
