import { terminal } from '../../domain/failure.ts';
import type { ManifestDatabase } from '../../domain/manifest.ts';
import { type ChosenDatabase, chooseDatabases, wayOf } from './choose-databases.ts';
import { fetchArchive } from './fetch-archive.ts';
import type { BackupFolder, FetchOptions } from './fetch-object.ts';
import { fetchPackedDump } from './fetch-packed.ts';
import { type DatabasePlan, type FetchedDatabase, planDatabase } from './plan-database.ts';
import type { GlobalsPlan } from './plan-globals.ts';
import { planSteps } from './plan-steps.ts';
import { readArchive } from './read-archive.ts';
import { createTarReader } from './read-tar.ts';
import { readGlobals } from './restore-globals.ts';
import { createRestoreProgress } from './restore-progress.ts';
import { createScriptReader } from './script/read-script.ts';
import type { TargetServer } from './target-server.ts';
import type { Work } from './work.ts';

export interface Prepared {
  readonly plans: readonly DatabasePlan[];
  readonly globals: GlobalsPlan | undefined;
  readonly progress: ReturnType<typeof createRestoreProgress>;
  /** A database to connect to that none of this takes away. */
  readonly adminDatabase: string;
}

/** Reads and checks; changes nothing in the target. */
export async function prepare(work: Work): Promise<Prepared> {
  const { context, manifest, from, target, temporary, mountRoot } = work;
  const { task, reporter, signal } = context;
  const { access } = target.chosen;
  const options = task.restore;
  const databases = chooseDatabases(options.databases, manifest).map((database) => ({
    ...database,
    way: wayOf(database, target.server, access.username),
  }));
  const adminDatabase = chooseAdminDatabase(task.server.database, databases, target.server);
  const objects = databases.flatMap(({ source }) => source.objects);
  const progress = createRestoreProgress(
    reporter,
    objects.reduce((sum, { size }) => sum + size, 0),
  );
  const globals = options.globals === 'Restore' ? await readGlobals(from, manifest, target.server, signal) : undefined;
  const ready = await fetchAll(work, databases, progress);
  const plans: DatabasePlan[] = [];
  for (const database of ready) {
    const newRoles = globals?.newRoles ?? [];
    const newTablespaces = globals?.newTablespaces ?? [];
    plans.push(
      await planDatabase(database, {
        access,
        server: target.server,
        newRoles,
        newTablespaces,
        options,
        temporary,
        mountRoot,
        signal,
      }),
    );
  }
  progress.expect(plans.reduce((sum, { selection }) => sum + selection.entries.length, 0));
  await reporter.facts({ plan: planSteps(plans, globals, target.server, options) });
  return { plans, globals, progress, adminDatabase };
}

async function fetchAll(
  { context, from, scratch }: Work,
  databases: readonly (ChosenDatabase & Pick<FetchedDatabase, 'way'>)[],
  progress: Prepared['progress'],
): Promise<readonly FetchedDatabase[]> {
  const { signal, log } = context;
  // Two entries may restore one database under two names.
  const dumps = new Map<string, Fetched>();
  const ready: FetchedDatabase[] = [];
  for (const database of databases) {
    const { source } = database;
    const isPacked = staysPacked(database);
    const key = `${isPacked} ${source.name}`;
    let fetched = dumps.get(key);
    if (fetched === undefined) {
      progress.fetching(`fetching and checking ${source.name} (${dumps.size + 1})`);
      log.info({ database: source.name, objects: source.objects.length }, 'fetching the dump');
      fetched = await fetchDump(from, source, { scratch, signal, onBytes: progress.fetched }, isPacked);
      dumps.set(key, fetched);
    }
    ready.push({ ...database, ...fetched });
  }
  return ready;
}

/**
 * What psql and pg_restore read from its begin to its end. Not a Tar for a database that is there: pg_restore takes the
 * end of a pipe for the end of the last rows and commits what it has of them, which is what it would see where this
 * process is killed. In a new database that is nobody's.
 */
function staysPacked({ source: { format }, way }: ChosenDatabase & Pick<FetchedDatabase, 'way'>): boolean {
  return format === 'Plain' || (format === 'Tar' && way !== 'Into');
}

type Fetched = Pick<FetchedDatabase, 'dump' | 'isPacked' | 'archive'>;

/** For the tool that the format has; `archive` says what is in it. */
async function fetchDump(
  from: BackupFolder,
  source: ManifestDatabase,
  options: FetchOptions,
  isPacked: boolean,
): Promise<Fetched> {
  const { format, name } = source;
  if (format === 'Plain') return { isPacked, ...(await fetchPackedDump(from, source, options, createScriptReader)) };
  if (isPacked) return { isPacked, ...(await fetchPackedDump(from, source, options, createTarReader)) };
  const dump = await fetchArchive(from, source, options);
  return { dump, isPacked, archive: await readArchive({ path: dump, format }, name) };
}

function chooseAdminDatabase(
  asked: string,
  databases: readonly (ChosenDatabase & Pick<FetchedDatabase, 'way'>)[],
  { databases: present }: TargetServer,
): string {
  const replaced = new Set(databases.filter(({ way }) => way === 'Replace').map(({ targetName }) => targetName));
  const usable = [asked, 'postgres', 'template1'].find(
    (name) => !replaced.has(name) && present.get(name)?.allowsConnections,
  );
  if (usable !== undefined) return usable;
  throw terminal(
    'NoAdminDatabase',
    `onConflict: Replace of ${[...replaced].join(', ')} needs another database to connect to, and the server has neither ${asked}, postgres nor template1 for that. Nothing was changed. Set target.server.database to a database that is not replaced.`,
  );
}
