import type { Compared, OfPlace } from '../../domain/catalogue/compare.ts';
import { Failure } from '../../domain/failure.ts';
import { manifestName } from '../../domain/layout.ts';
import { putHold, removeHold } from '../../repository/holds.ts';
import type { Store } from '../../repository/store.ts';
import { inParallel } from '../in-parallel.ts';
import type { SyncContext } from './run-sync.ts';

export interface Told {
  /** Backups that are not there any more. */
  readonly lost: number;
  /** Why a hold could not be written, of the first of those. */
  readonly unheld: string | undefined;
}

const width = 8;

/** Tells the BackupRuns what the repository has of their backups now, and the repository what they hold. */
export async function tellPlaces(context: SyncContext, store: Store, compared: Compared): Promise<Told> {
  const { cluster, signal, log } = context;
  const gone = await inParallel(compared.missing, width, async ({ run, place }) => {
    // The listing is some time old; only what the store says of this one object is believed.
    if ((await store.head(`${place.path}/${manifestName}`, { signal })) !== undefined) return false;
    log.warn({ run: run.name, path: place.path }, 'the backup is not in the repository any more');
    await cluster.place(run, { name: place.name, state: 'Removed', path: place.path, lost: true });
    return true;
  });
  await inParallel(compared.found, width, async ({ run, place }) => {
    if ((await store.head(`${place.path}/${manifestName}`, { signal })) === undefined) return;
    await cluster.place(run, { name: place.name, state: 'Stored', path: place.path, ...heldOf(place) });
  });
  return { lost: gone.filter(Boolean).length, unheld: await tellHolds(context, store, compared.holds) };
}

async function tellHolds(
  { task, cluster, signal, log }: SyncContext,
  store: Store,
  holds: readonly OfPlace[],
): Promise<string | undefined> {
  if (task.repository.spec.accessMode === 'ReadOnly') return undefined;
  let unheld: string | undefined;
  for (const { run, place } of holds) {
    if ((await store.head(`${place.path}/${manifestName}`, { signal })) === undefined) {
      await cluster.place(run, { name: place.name, state: 'Removed', path: place.path, lost: true });
      continue;
    }
    try {
      if (run.hold) await putHold(store, place.path, { namespace: task.namespace, run: run.name }, signal);
      else await removeHold(store, place.path, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Failure)) throw error;
      log.warn({ err: error, run: run.name }, 'the hold could not be told to the repository');
      unheld ??= error.message;
      continue;
    }
    await cluster.place(run, {
      name: place.name,
      state: 'Stored',
      path: place.path,
      ...(run.hold ? { held: true } : {}),
    });
  }
  return unheld;
}

function heldOf({ held }: { readonly held: boolean }): { readonly held?: true } {
  return held ? { held } : {};
}
