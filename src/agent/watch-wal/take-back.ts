import type { WalStatus } from '../../api/backup-policy.ts';
import type { WatchWalTask } from '../../domain/task.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import { withConnection } from '../../postgres/query.ts';
import { removeArchiving } from './apply-settings.ts';
import { bounded } from './describe.ts';
import { dropSlot } from './stream/slot.ts';

/** Takes back everything that is ours on the server, settings and slot, and says how far it came. */
export async function takeBack(task: WatchWalTask, server: ChosenServer, signal: AbortSignal): Promise<WalStatus> {
  return withConnection(server.access, task.server.database, signal, async (query) => {
    const setting = await removeArchiving(query, server);
    if (setting.state !== 'Removed') return notRemoved(setting);
    return (await dropSlot(query, task.slot)) ? removed() : { report: slotInUse(task.slot) };
  });
}

export function removed(): WalStatus {
  const message = 'Nothing of Tidemark is set in the server any more; it takes effect with its next start.';
  return {
    setting: { state: 'Removed' },
    report: { healthy: true, reason: 'Removed', message, time: new Date().toISOString() },
  };
}

function notRemoved(setting: NonNullable<WalStatus['setting']>): WalStatus {
  const { reason = setting.state, message = '' } = setting;
  const time = new Date().toISOString();
  return { setting: bounded(setting), report: bounded({ healthy: false, reason, message, time }) };
}

function slotInUse(slot: string): NonNullable<WalStatus['report']> {
  const message = `Somebody still receives from the slot ${slot}, so it is not dropped yet. It is tried again; if it stays so, see pg_stat_replication for who it is.`;
  return { healthy: false, reason: 'SlotInUse', message, time: new Date().toISOString() };
}
