import type { ProbeTask } from '../domain/task.ts';
import { openStore } from '../repository/open.ts';
import { openEncryption } from '../repository/open-encryption.ts';
import { probeStore } from '../repository/probe.ts';
import { encryptBytes } from '../stream/encrypt.ts';
import type { ActionContext, ActionOutcome } from './action.ts';

/**
 * Tries every call that backups and restores make of a repository, and encrypts something for its recipients; what it can
 * do goes into the status.
 */
export async function runProbe(
  { task, reporter, signal }: ActionContext<ProbeTask>,
  mountRoot = '',
): Promise<ActionOutcome> {
  const store = await openStore(task.repository, 0, { mountRoot });
  try {
    const { accessMode } = task.repository.spec;
    // Before anything is written, and where nothing is, it is of no use.
    const encryption = accessMode === 'ReadWrite' ? await openEncryption(task.repository, 0, { mountRoot }) : undefined;
    if (encryption !== undefined) await encryptBytes(Buffer.from('probe'), encryption, signal);
    const { capabilities } = await probeStore(store, signal, accessMode);
    await reporter.facts({ capabilities });
    const done = accessMode === 'ReadOnly' ? 'can be listed and read' : 'can be written, read, listed and deleted from';
    const keys = encryption?.recipients.length ?? 0;
    const forWhom =
      encryption !== undefined ? ` What is written is encrypted for ${keys} recipient${keys === 1 ? '' : 's'}.` : '';
    return { reason: 'Reachable', message: `${store.description} ${done}.${forWhom}` };
  } finally {
    await store.close();
  }
}
