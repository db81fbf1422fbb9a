import type { ProbeTask } from '../domain/task.ts';
import { openStore } from '../repository/open.ts';
import { probeStore } from '../repository/probe.ts';
import type { ActionContext, ActionOutcome } from './action.ts';

/** Tries every call that backups and restores make of a repository; what it can do goes into the status. */
export async function runProbe(
  { task, reporter, signal }: ActionContext<ProbeTask>,
  mountRoot = '',
): Promise<ActionOutcome> {
  const store = await openStore(task.repository, 0, { mountRoot });
  try {
    const { accessMode } = task.repository.spec;
    const { capabilities } = await probeStore(store, signal, accessMode);
    await reporter.facts({ capabilities });
    const done = accessMode === 'ReadOnly' ? 'can be listed and read' : 'can be written, read, listed and deleted from';
    return { reason: 'Reachable', message: `${store.description} ${done}.` };
  } finally {
    await store.close();
  }
}
