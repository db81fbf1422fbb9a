import { readAccess } from '../../postgres/access.ts';
import { type ChosenServer, chooseServer } from '../../postgres/choose-server.ts';
import type { ActionOutcome } from '../action.ts';
import { whileAnswering } from '../while-answering.ts';
import type { BackupContext } from './run-backup.ts';

/** Chooses the server that is to be backed up, and backs it up for as long as it answers. */
export async function onChosenServer(
  context: BackupContext,
  backUp: (context: BackupContext, server: ChosenServer) => Promise<ActionOutcome>,
): Promise<ActionOutcome> {
  const { task, signal, folders, patience } = context;
  const access = await readAccess(task.server, task.namespace, folders?.access);
  const server = await chooseServer(task.server, access, signal);
  const asked = { access: server.access, database: task.server.database };
  return whileAnswering(context, asked, (watched) => backUp(watched, server), patience);
}
