import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../domain/failure.ts';
import { mounts } from '../../domain/mounts.ts';
import type { ActionOutcome } from '../action.ts';
import { openMirrored } from '../restore-sources.ts';
import { whileAnswering } from '../while-answering.ts';
import { carryOut } from './carry-out.ts';
import { findSource, findTarget } from './find-ends.ts';
import { type Prepared, prepare } from './prepare.ts';
import type { RestoreContext, Work } from './work.ts';

/**
 * Brings databases of one logical backup back. Everything is fetched, checked against the manifest and planned, with
 * every refusal, before the target is touched; then database by database is restored, and questioned.
 */
export async function runRestore(context: RestoreContext): Promise<ActionOutcome> {
  const { task, signal } = context;
  const folders = context.folders ?? { scratch: mounts.scratch, temporary: mounts.temporary };
  const mountRoot = folders.mountRoot ?? '';
  const opened = await openMirrored([task.repository, ...(task.others ?? [])], mountRoot, context.log);
  const { store, identity } = opened;
  const temporary = await mkdtemp(join(folders.temporary, 'restore-'));
  const scratch = await mkdtemp(join(folders.scratch, 'restore-'));
  try {
    const { from, manifest } = await findSource(store, task, { identity, signal });
    await context.reporter.facts({ backupID: manifest.backupID });
    const target = await findTarget(context, folders);
    const asked = { access: target.chosen.access, database: task.server.database };
    const restore = async (watched: RestoreContext) => {
      const work: Work = { context: watched, from, manifest, target, temporary, scratch, mountRoot };
      const prepared = await prepare(work);
      return task.restore.dryRun ? planned(prepared) : await carryOut(work, prepared);
    };
    const outcome = await whileAnswering(context, asked, restore, context.serverPatience);
    const fallbacks = opened.fallbacks();
    return { ...outcome, message: `${outcome.message}${fallbacks}`, elsewhere: fallbacks !== '' };
  } catch (error) {
    throw signal.aborted && !(error instanceof Failure) ? signal.reason : error;
  } finally {
    await Promise.all([temporary, scratch].map((folder) => rm(folder, { recursive: true, force: true })));
    await store.close();
  }
}

function planned({ plans }: Prepared): ActionOutcome {
  const objects = plans.reduce((sum, { selection }) => sum + selection.entries.length, 0);
  return {
    reason: 'Planned',
    message: `dryRun: ${objects} objects in ${plans.length} databases would be restored, as status.plan says. The backup was fetched and is whole; nothing was changed.`,
  };
}
