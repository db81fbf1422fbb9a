import type { CatalogueStatus } from '../../api/catalogue.ts';
import { type Compared, compare, type KnownRun, type ListedBackup, recentOf } from '../../domain/catalogue/compare.ts';
import { rfc3339 } from '../../domain/conditions.ts';
import { terminal } from '../../domain/failure.ts';
import type { SyncTask } from '../../domain/task.ts';
import { openStore } from '../../repository/open.ts';
import type { Store } from '../../repository/store.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import { inParallel } from '../in-parallel.ts';
import type { CatalogueCluster } from './cluster.ts';
import { type Listing, listRepository } from './list-repository.ts';
import { type Known, makeKnown } from './make-known.ts';
import { type Told, tellPlaces } from './tell-places.ts';

export interface SyncContext extends ActionContext<SyncTask> {
  readonly cluster: CatalogueCluster;
  readonly mountRoot?: string;
  /** For tests. */
  readonly clock?: () => Date;
  readonly open?: typeof openStore;
}

const width = 8;
/** The clocks of this node and of the store. */
const clockSlack = 600_000;
const unreadableKept = 16;

/**
 * Compares what a repository holds with the BackupRuns of the namespace: those that it holds and that nobody knows are
 * made known, and those that it has lost are told so. In the repository it writes nothing but holds. What it cannot list
 * it does not judge: the first failure ends it.
 */
export async function runSync(context: SyncContext): Promise<ActionOutcome> {
  const { task, cluster, signal, mountRoot, clock = () => new Date(), open = openStore } = context;
  const startTime = clock();
  // Before the repository: a backup that ends meanwhile is in the listing then, and not missing.
  const runs = await cluster.runs();
  const store = await open(task.repository, 0, mountRoot === undefined ? {} : { mountRoot });
  try {
    const listing = await listRepository(store, task, signal);
    const compared = compare({
      ...task,
      repository: task.repository.name,
      runs,
      listed: listing.backups,
      knownUntil: knownUntil(task),
      recent: new Set(knownUntil(task) === undefined ? [] : task.previous?.recent),
    });
    refuseEmpty(task, compared, listing, store);
    const told = await tellPlaces(context, store, compared);
    const known = await makeAllKnown(context, store, { runs, listing, compared });
    const catalogue = summarize({ task, startTime, now: clock(), runs, listing, known, told });
    await context.reporter.facts({ catalogue });
    if (told.unheld !== undefined) throw unheld(told.unheld);
    return { reason: 'Synced', message: describe(catalogue, store) };
  } finally {
    await store.close();
  }
}

/** undefined: everything is new. */
function knownUntil({ scope, place, previous }: SyncTask): Date | undefined {
  if (scope === 'All' || previous?.place !== place || previous.knownUntil === undefined) return undefined;
  return new Date(previous.knownUntil);
}

/** A volume that is not the one, or a bucket that was emptied: nobody can tell, and a person is to look. */
function refuseEmpty(task: SyncTask, { stored }: Compared, { backups }: Listing, store: Store): void {
  const isEmpty = [...backups.values()].every(({ manifestTime }) => manifestTime === null);
  if (!isEmpty || stored === 0 || task.mayBeEmpty) return;
  const { name } = task.repositoryObject;
  throw terminal(
    'RepositoryEmpty',
    `${store.description} holds no backup at all of ${task.namespaces.join(', ')}, and ${stored} BackupRun${stored === 1 ? ' says' : 's say'} that it does. Nothing was changed. Look whether this is the right bucket, prefix or volume, and who has deleted there. If the backups are gone: kubectl annotate backuprepository -n ${task.namespace} ${name} --overwrite tidemark.dev/sync="empty $(date +%s)"`,
  );
}

function unheld(why: string) {
  return terminal(
    'HoldNotTold',
    `A hold could not be written into the repository, or not be taken back, so it stands in this cluster alone; all the rest is synced. ${why}`,
  );
}

interface Seen {
  readonly runs: readonly KnownRun[];
  readonly listing: Listing;
  readonly compared: Compared;
}

interface AllKnown {
  readonly made: number;
  readonly later: boolean;
  readonly unreadable: readonly string[];
  /** The folders that a BackupRun stands for now. */
  readonly paths: readonly string[];
}

async function makeAllKnown(
  { task, cluster, signal }: SyncContext,
  store: Store,
  { runs, listing, compared }: Seen,
): Promise<AllKnown> {
  const repository = task.repository.name;
  const surroundings = {
    store,
    cluster,
    repository,
    namespace: task.namespace,
    knownUntil: knownUntil(task),
    byPath: new Map(runs.flatMap((run) => run.places.map((place) => [place.path, run] as const))),
    unwritten: new Map(
      runs.flatMap((run) => (run.unwritten?.repository === repository ? [[run.unwritten.path, run] as const] : [])),
    ),
    signal,
  };
  const wanted = [...compared.fresh, ...unreadBefore(task, listing, compared)];
  const fates = await inParallel(
    wanted,
    width,
    async (backup) => [backup.path, await makeKnown(backup, surroundings)] as const,
  );
  const unreadable: string[] = [];
  for (const [path, fate] of fates) {
    if (typeof fate !== 'object') continue;
    listing.strangers.add(fate.unreadable);
    unreadable.push(path);
  }
  const count = (fate: Known) => fates.filter(([, each]) => each === fate).length;
  const paths = fates.flatMap(([path, fate]) => (fate === 'Made' || fate === 'Present' ? [path] : []));
  return { made: count('Made'), later: count('Later') > 0, unreadable, paths };
}

/** Those that could not be read the last time are old by now. */
function unreadBefore({ previous }: SyncTask, { backups }: Listing, { fresh }: Compared): readonly ListedBackup[] {
  const paths = new Set(fresh.map(({ path }) => path));
  return (previous?.unreadable ?? []).flatMap((path) => {
    const found = backups.get(path);
    return found === undefined || found.manifestTime === null || paths.has(path) ? [] : [{ ...found }];
  });
}

interface Found {
  readonly task: SyncTask;
  readonly startTime: Date;
  readonly now: Date;
  readonly runs: readonly KnownRun[];
  readonly listing: Listing;
  readonly known: AllKnown;
  readonly told: Told;
}

function summarize({ task, startTime, now, runs, listing, known, told }: Found): CatalogueStatus {
  const { previous = {}, depth } = task;
  const until = new Date(startTime.getTime() - clockSlack);
  const before = previous.place === task.place ? previous.knownUntil : undefined;
  const later = known.later ? before : rfc3339(until);
  const paths = [...runs.flatMap(({ places }) => places.map(({ path }) => path)), ...known.paths];
  const recentBefore = previous.place === task.place ? (previous.recent ?? []) : [];
  const recent = recentOf(paths, recentBefore, listing.backups, later === undefined ? undefined : new Date(later));
  return {
    startTime: rfc3339(startTime),
    completionTime: rfc3339(now),
    place: task.place,
    generation: task.repositoryObject.generation,
    ...(task.requested === undefined ? {} : { requested: task.requested }),
    ...(later === undefined ? {} : { knownUntil: later }),
    ...(recent.length === 0 ? {} : { recent: [...recent] }),
    made: known.made,
    lost: told.lost,
    unreadable: known.unreadable.slice(0, unreadableKept),
    ...(depth === 'Deep' ? deeply(startTime, listing) : sinceDeep(previous, listing, known, told)),
  };
}

function deeply(startTime: Date, { backups, unfinished, strangers, objects }: Listing): CatalogueStatus {
  const complete = [...backups.values()].filter(({ manifestTime }) => manifestTime !== null);
  return {
    deepTime: rfc3339(startTime),
    backups: complete.length,
    unfinished,
    storedBytes: String(complete.reduce((sum, { bytes }) => sum + bytes, 0)),
    objects,
    unknown: strangers.count,
    examples: strangers.examples,
  };
}

/** Only folders were listed: the rest is what the last deep sync found. */
function sinceDeep(previous: CatalogueStatus, { backups, strangers }: Listing, known: AllKnown, { lost }: Told) {
  const { deepTime, unfinished = 0, storedBytes, objects, unknown = 0, examples = [] } = previous;
  return {
    ...(deepTime === undefined ? {} : { deepTime }),
    backups: Math.max(0, backups.size - unfinished),
    unfinished,
    ...(storedBytes === undefined ? {} : { storedBytes }),
    ...(objects === undefined ? {} : { objects }),
    unknown: Math.max(unknown, strangers.count),
    examples: strangers.count > unknown ? strangers.examples : examples,
    made: known.made,
    lost,
  };
}

function describe(catalogue: CatalogueStatus, store: Store): string {
  const { backups = 0, made = 0, lost = 0, unknown = 0, examples = [] } = catalogue;
  const parts = [`${store.description} holds ${backups} backup${backups === 1 ? '' : 's'}.`];
  if (made > 0) parts.push(`${made} BackupRun${made === 1 ? ' was' : 's were'} re-created.`);
  if (lost > 0)
    parts.push(
      `${lost} ${lost === 1 ? 'is' : 'are'} there no more, and nobody here has deleted ${lost === 1 ? 'it' : 'them'}.`,
    );
  if (unknown > 0)
    parts.push(
      `${unknown} thing${unknown === 1 ? '' : 's'} there ${unknown === 1 ? 'is' : 'are'} nothing that Tidemark knows, and ${unknown === 1 ? 'stays' : 'stay'} as ${unknown === 1 ? 'it is' : 'they are'}: ${examples.join('; ')}.`,
    );
  return [...parts.join(' ')].slice(0, 4000).join('');
}
