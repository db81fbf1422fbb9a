import { join } from 'node:path';
import type { RestoreTask } from '../../domain/task.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { withConnection } from '../../postgres/query.ts';
import type { Archive, ArchiveEntry } from './archive.ts';
import type { ChosenDatabase, Way } from './choose-databases.ts';
import { requireEmptyTables, requireNoConflict, requireSchemas } from './conflicts.ts';
import { readMountedList, writeList } from './list-file.ts';
import { type Pass, passesOf } from './passes.ts';
import { missingTablespaces, requirePrerequisites } from './prerequisites.ts';
import { type Selection, selectObjects } from './select-objects.ts';
import { newDatabase, readTargetCatalog, type TargetCatalog } from './target-catalog.ts';
import type { TargetServer } from './target-server.ts';

/** All that is decided about one database before anything is touched. */
export interface DatabasePlan extends ChosenDatabase {
  readonly way: Way;
  /** The unpacked dump. */
  readonly dump: string;
  readonly archive: Archive;
  readonly selection: Selection;
  /** What pg_restore is called with, one after the other. */
  readonly calls: readonly PgRestoreCall[];
  /** The most at once. */
  readonly jobs: number;
  /** Of the objects to be restored, those that the target has. */
  readonly present: readonly ArchiveEntry[];
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

export type Unpacked = ChosenDatabase & Pick<DatabasePlan, 'way' | 'dump' | 'archive'>;

/** Every refusal of one database comes from here or from choose-databases.ts, and nothing has been changed then. */
export async function planDatabase(database: Unpacked, context: PlanContext): Promise<DatabasePlan> {
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
      if (database.asked.content === 'DataOnly') {
        await requireEmptyTables(plan.selection.entries, target, targetName, query);
      }
      return plan;
    },
    limits,
  );
}

async function planWith(database: Unpacked, target: TargetCatalog, context: PlanContext): Promise<DatabasePlan> {
  const { asked, archive, index, targetName } = database;
  const { options, server, newRoles, newTablespaces, mountRoot, temporary } = context;
  const listed = await readMountedList(asked, index, archive.entries, mountRoot);
  const selection: Selection =
    listed === undefined
      ? selectObjects(archive.entries, asked, target)
      : { entries: listed, whole: false, added: [], leftOut: [], inOrderOnly: false };
  const { entries } = selection;
  if (asked.content !== 'DataOnly') {
    if (asked.onConflict === 'Fail') requireNoConflict(entries, target, targetName);
    requireSchemas(entries, target, targetName);
  }
  const jobs = inOneJob(selection, database) ? 1 : options.jobs;
  const passes = asked.content === 'DataOnly' ? [{ entries, jobs }] : passesOf(entries, jobs);
  requirePrerequisites(entries, options, { ...server, roles: new Set([...server.roles, ...newRoles]) });
  return {
    ...database,
    selection,
    calls: await pgRestoreCalls(passes, { everything: selection.whole, path: join(temporary, `list-${index}`) }),
    jobs,
    present: entries.filter(target.holds),
    hasDefaultPrivileges: target.hasDefaultPrivileges,
    missingTablespaces: missingTablespaces(entries, new Set([...server.tablespaces, ...newTablespaces])),
  };
}

/** What is dropped before is dropped by one call, which then has to make all of it. */
function inOneJob({ inOrderOnly, entries }: Selection, { asked, way }: Unpacked): boolean {
  const drops = way === 'Into' && asked.onConflict === 'Clean';
  return inOrderOnly || (drops && passesOf(entries, 2).length > 1);
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
