import { join } from 'node:path';
import type { RestoreTask } from '../../domain/task.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { withConnection } from '../../postgres/query.ts';
import type { Archive, ArchiveEntry } from './archive.ts';
import type { ChosenDatabase, Way } from './choose-databases.ts';
import { requireEmptyTables, requireNoConflict, requireSchemas } from './conflicts.ts';
import { readMountedList, writeList } from './list-file.ts';
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
  /** undefined for everything. */
  readonly listFile: string | undefined;
  readonly jobs: number;
  /** Of the objects to be restored, those that the target has. */
  readonly present: readonly ArchiveEntry[];
  /** Tablespaces that the target lacks: all objects go to its default one. */
  readonly missingTablespaces: readonly string[];
  /** The target gives new objects grants of its own (ALTER DEFAULT PRIVILEGES). */
  readonly hasDefaultPrivileges: boolean;
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
  const mounted = await readMountedList(asked, index, archive.entries, mountRoot);
  const selection: Selection =
    mounted === undefined
      ? selectObjects(archive.entries, asked, target)
      : { entries: mounted.entries, whole: false, added: [], leftOut: [], inOrderOnly: false };
  const { entries } = selection;
  if (asked.content !== 'DataOnly') {
    if (asked.onConflict === 'Fail') requireNoConflict(entries, target, targetName);
    requireSchemas(entries, target, targetName);
  }
  requirePrerequisites(entries, options, { ...server, roles: new Set([...server.roles, ...newRoles]) });
  return {
    ...database,
    selection,
    listFile: mounted?.path ?? (await ownList(selection, join(temporary, `list-${index}`))),
    jobs: selection.inOrderOnly ? 1 : options.jobs,
    present: entries.filter(target.holds),
    hasDefaultPrivileges: target.hasDefaultPrivileges,
    missingTablespaces: missingTablespaces(entries, new Set([...server.tablespaces, ...newTablespaces])),
  };
}

async function ownList({ whole, entries }: Selection, path: string): Promise<string | undefined> {
  if (whole) return undefined;
  await writeList(path, entries);
  return path;
}
