import { join } from 'node:path';
import type { RestoreTask } from '../../domain/task.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { withConnection } from '../../postgres/query.ts';
import type { Archive, ArchiveEntry } from './archive.ts';
import { indexArchive } from './archive-index.ts';
import type { ChosenDatabase, Way } from './choose-databases.ts';
import { requireEmptyTables, requireNoConflict, requireSchemas } from './conflicts.ts';
import { inDropOrder } from './drop-order.ts';
import { readMountedList, writeList } from './list-file.ts';
import { type Pass, passesOf } from './passes.ts';
import { missingTablespaces, requirePrerequisites } from './prerequisites.ts';
import { readPresentSizes } from './present-sizes.ts';
import type { Script } from './script/read-script.ts';
import { selectScript } from './script/select-script.ts';
import { type Selection, selectObjects } from './select-objects.ts';
import { newDatabase, readTargetCatalog, type TargetCatalog } from './target-catalog.ts';
import type { TargetServer } from './target-server.ts';

/** All that is decided about one database before anything is touched. */
export interface DatabasePlan extends ChosenDatabase {
  readonly way: Way;
  /** Where the dump lies. */
  readonly dump: string;
  /** As it was stored: it is unpacked for its tool, which gets it through a pipe. */
  readonly isPacked: boolean;
  readonly archive: Archive | Script;
  readonly selection: Selection;
  /** What pg_restore is called with, one after the other; of a Plain dump, psql runs all. */
  readonly calls: readonly PgRestoreCall[];
  /** The most at once. */
  readonly jobs: number;
  /** Of the objects to be restored, those that the target has. */
  readonly present: readonly ArchiveEntry[];
  /** Of those, the tables' sizes by their entries' IDs, where they are dropped. */
  readonly presentBytes: ReadonlyMap<number, number>;
  /** Tablespaces that the target lacks: all objects go to its default one. */
  readonly missingTablespaces: readonly string[];
  /** The target gives new objects grants of its own (ALTER DEFAULT PRIVILEGES). */
  readonly hasDefaultPrivileges: boolean;
}

export interface PgRestoreCall {
  /** undefined for everything. */
  readonly listFile: string | undefined;
  readonly jobs: number;
  readonly objects: number;
}

export interface PlanContext {
  readonly access: ServerAccess;
  readonly server: TargetServer;
  /** Those that globals: Restore is going to make. */
  readonly newRoles: readonly string[];
  readonly newTablespaces: readonly string[];
  readonly options: RestoreTask['restore'];
  readonly temporary: string;
  readonly mountRoot: string;
  readonly signal: AbortSignal;
}

export type FetchedDatabase = ChosenDatabase & Pick<DatabasePlan, 'way' | 'dump' | 'isPacked' | 'archive'>;

/** Every refusal of one database comes from here or from choose-databases.ts, and nothing has been changed then. */
export async function planDatabase(database: FetchedDatabase, context: PlanContext): Promise<DatabasePlan> {
  const { way, targetName } = database;
  if (way !== 'Into') return planWith(database, newDatabase, context);
  const { access, signal } = context;
  const limits = { statementTimeout: 0 };
  return withConnection(
    access,
    targetName,
    signal,
    async (query) => {
      const hasLargeObjects = database.archive.entries.some(({ kind }) => kind.startsWith('BLOB'));
      const target = await readTargetCatalog(query, { largeObjects: hasLargeObjects });
      const plan = await planWith(database, target, context);
      if (isDataOnly(plan)) {
        await requireEmptyTables(plan.selection.entries, target, targetName, query);
      }
      if (!isCleaned(database)) return plan;
      return { ...plan, presentBytes: await readPresentSizes(plan.present, query) };
    },
    limits,
  );
}

async function planWith(database: FetchedDatabase, target: TargetCatalog, context: PlanContext): Promise<DatabasePlan> {
  const { asked, archive, index, targetName } = database;
  const { options, server, newRoles, newTablespaces, temporary } = context;
  const selection = await select(database, target, context.mountRoot);
  const { entries } = selection;
  if (!isDataOnly({ asked, selection })) {
    if (asked.onConflict === 'Fail') requireNoConflict(entries, target, targetName);
    requireSchemas(entries, target, targetName);
  }
  const inOrder = archive.format === 'Tar' || archive.format === 'Plain';
  const jobs = inOrder || inOneJob(selection, database) ? 1 : options.jobs;
  const drops = isCleaned(database);
  const passes = asked.content === 'DataOnly' || drops ? [{ entries, jobs }] : passesOf(entries, jobs);
  const lists = { everything: selection.whole && !drops, path: join(temporary, `list-${index}`) };
  requirePrerequisites(entries, options, { ...server, roles: new Set([...server.roles, ...newRoles]) });
  return {
    ...database,
    selection,
    calls: archive.format === 'Plain' ? [] : await pgRestoreCalls(passes, lists),
    jobs,
    present: entries.filter(target.holds),
    presentBytes: new Map(),
    hasDefaultPrivileges: target.hasDefaultPrivileges,
    missingTablespaces: missingTablespaces(entries, new Set([...server.tablespaces, ...newTablespaces])),
  };
}

async function select(database: FetchedDatabase, target: TargetCatalog, mountRoot: string): Promise<Selection> {
  const { asked, archive, index, way } = database;
  if (archive.format === 'Plain') return selectScript(archive, database, way);
  const listed = await readMountedList(asked, index, archive, mountRoot);
  if (listed === undefined) {
    const selection = selectObjects(archive.entries, asked, target);
    if (!isCleaned(database)) return selection;
    return { ...selection, entries: inDropOrder(indexArchive(archive.entries), selection.entries) };
  }
  return { entries: listed, whole: false, added: [], leftOut: [], inOrderOnly: false };
}

/** Also where the dump itself has nothing else. */
export function isDataOnly({ asked, selection }: Pick<DatabasePlan, 'asked' | 'selection'>): boolean {
  const { entries } = selection;
  return asked.content === 'DataOnly' || (entries.length > 0 && entries.every(({ section }) => section === 'Data'));
}

/** What is dropped before is dropped by one call, which then has to make all of it. */
function inOneJob({ inOrderOnly, entries }: Selection, database: FetchedDatabase): boolean {
  return inOrderOnly || (isCleaned(database) && passesOf(entries, 2).length > 1);
}

export function isCleaned({ asked, way }: Pick<FetchedDatabase, 'asked' | 'way'>): boolean {
  return way === 'Into' && asked.onConflict === 'Clean';
}

async function pgRestoreCalls(
  passes: readonly Pass[],
  { everything, path }: { readonly everything: boolean; readonly path: string },
): Promise<readonly PgRestoreCall[]> {
  const calls: PgRestoreCall[] = [];
  for (const [number, { entries, jobs }] of passes.entries()) {
    const listFile = everything && passes.length === 1 ? undefined : `${path}-${number}`;
    if (listFile !== undefined) await writeList(listFile, entries);
    calls.push({ listFile, jobs, objects: entries.length });
  }
  return calls;
}
