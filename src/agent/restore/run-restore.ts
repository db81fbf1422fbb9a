import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, terminal } from '../../domain/failure.ts';
import { backupPath } from '../../domain/layout.ts';
import type { Manifest } from '../../domain/manifest.ts';
import { mounts } from '../../domain/mounts.ts';
import type { RestoreTask } from '../../domain/task.ts';
import { readAccess } from '../../postgres/access.ts';
import { type ChosenServer, chooseServer } from '../../postgres/choose-server.ts';
import { type Query, withConnection } from '../../postgres/query.ts';
import { type LibpqFiles, toolFor, writeLibpqFiles } from '../../postgres/tools.ts';
import { readManifest } from '../../repository/backups.ts';
import { findBackup } from '../../repository/find-backup.ts';
import { openStore } from '../../repository/open.ts';
import type { Store } from '../../repository/store.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import type { Folders } from '../backup/run-backup.ts';
import { checkAssertions, describeFailedAssertions } from './check-assertions.ts';
import { type ChosenDatabase, chooseDatabases, wayOf } from './choose-databases.ts';
import { dropDatabase } from './create-database.ts';
import { type BackupFolder, corrupted, fetchArchive } from './fetch-archive.ts';
import { type DatabasePlan, planDatabase, type Unpacked } from './plan-database.ts';
import type { GlobalsPlan } from './plan-globals.ts';
import { planSteps } from './plan-steps.ts';
import { requirePrerequisites } from './prerequisites.ts';
import { readArchive } from './read-archive.ts';
import { type RestoredDatabase, restoreDatabase } from './restore-database.ts';
import { withAftermath } from './restore-failure.ts';
import { readGlobals, restoreGlobals } from './restore-globals.ts';
import { createRestoreProgress } from './restore-progress.ts';
import { readTargetServer, type TargetServer } from './target-server.ts';

export interface RestoreContext extends ActionContext<RestoreTask> {
  readonly folders?: Folders;
}

/**
 * Brings databases of one logical backup back. Everything is fetched, checked against the manifest and planned, with
 * every refusal, before the target is touched; then database by database is restored, and questioned.
 */
export async function runRestore(context: RestoreContext): Promise<ActionOutcome> {
  const { task, signal } = context;
  const folders = context.folders ?? { scratch: mounts.scratch, temporary: mounts.temporary };
  const store = await openStore(task.repository, 0, { mountRoot: folders.mountRoot ?? '' });
  const temporary = await mkdtemp(join(folders.temporary, 'restore-'));
  const scratch = await mkdtemp(join(folders.scratch, 'restore-'));
  try {
    const { from, manifest } = await findSource(store, task, signal);
    await context.reporter.facts({ backupID: manifest.backupID });
    const target = await findTarget(context, folders);
    const work: Work = { context, from, manifest, target, temporary, scratch, mountRoot: folders.mountRoot ?? '' };
    const prepared = await prepare(work);
    if (task.restore.dryRun) return planned(prepared);
    return await carryOut(work, prepared);
  } catch (error) {
    throw signal.aborted && !(error instanceof Failure) ? signal.reason : error;
  } finally {
    await Promise.all([temporary, scratch].map((folder) => rm(folder, { recursive: true, force: true })));
    await store.close();
  }
}

interface Work {
  readonly context: RestoreContext;
  readonly from: BackupFolder;
  readonly manifest: Manifest;
  readonly target: Target;
  readonly temporary: string;
  readonly scratch: string;
  readonly mountRoot: string;
}

interface Target {
  readonly chosen: ChosenServer;
  readonly server: TargetServer;
}

async function findSource(
  store: Store,
  { backup }: RestoreTask,
  signal: AbortSignal,
): Promise<{ readonly from: BackupFolder; readonly manifest: Manifest }> {
  const path = backup.path ?? backupPath(await findBackup(store, backup.backupID, signal));
  const { manifest } = await readManifest(store, path, { signal });
  if (manifest.backupID !== backup.backupID) {
    throw corrupted(`the manifest in ${path} of ${store.description} is that of backup ${manifest.backupID}`);
  }
  return { from: { store, path, compression: manifest.compression }, manifest };
}

async function findTarget({ task, signal }: RestoreContext, folders: Folders): Promise<Target> {
  const access = await readAccess(task.server, task.namespace, folders.access);
  const chosen = await chooseServer({ ...task.server, role: 'Primary' }, access, signal);
  if (chosen.facts.role !== 'Primary') {
    throw terminal(
      'NoPrimary',
      `${chosen.access.host} is a standby, which takes no changes. Name the primary as the target of the restore.`,
    );
  }
  return { chosen, server: await readServer(chosen, task, signal) };
}

function readServer({ access }: ChosenServer, { server }: RestoreTask, signal: AbortSignal): Promise<TargetServer> {
  return withConnection(access, server.database, signal, readTargetServer);
}

interface Prepared {
  readonly plans: readonly DatabasePlan[];
  readonly globals: GlobalsPlan | undefined;
  readonly progress: ReturnType<typeof createRestoreProgress>;
  /** A database to connect to that none of this takes away. */
  readonly adminDatabase: string;
}

/** Reads and checks; changes nothing in the target. */
async function prepare(work: Work): Promise<Prepared> {
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
  const unpacked = await unpackAll(work, databases, progress);
  const plans: DatabasePlan[] = [];
  for (const database of unpacked) {
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

async function unpackAll(
  { context, from, scratch }: Work,
  databases: readonly (ChosenDatabase & Pick<Unpacked, 'way'>)[],
  progress: Prepared['progress'],
): Promise<readonly Unpacked[]> {
  const { signal, log } = context;
  // Two entries may restore one database under two names.
  const dumps = new Map<string, Pick<Unpacked, 'dump' | 'archive'>>();
  const unpacked: Unpacked[] = [];
  for (const database of databases) {
    const { source } = database;
    let fetched = dumps.get(source.name);
    if (fetched === undefined) {
      progress.fetching(`fetching and checking ${source.name} (${dumps.size + 1})`);
      log.info({ database: source.name, objects: source.objects.length }, 'fetching the dump');
      const dump = await fetchArchive(from, source, { scratch, signal, onBytes: progress.fetched });
      fetched = { dump, archive: await readArchive({ path: dump, format: source.format }, source.name) };
      dumps.set(source.name, fetched);
    }
    unpacked.push({ ...database, ...fetched });
  }
  return unpacked;
}

function chooseAdminDatabase(
  asked: string,
  databases: readonly (ChosenDatabase & Pick<Unpacked, 'way'>)[],
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

function planned({ plans }: Prepared): ActionOutcome {
  const objects = plans.reduce((sum, { selection }) => sum + selection.entries.length, 0);
  return {
    reason: 'Planned',
    message: `dryRun: ${objects} objects in ${plans.length} databases would be restored, as status.plan says. The backup was fetched and is whole; nothing was changed.`,
  };
}

async function carryOut(work: Work, prepared: Prepared): Promise<ActionOutcome> {
  const { context, manifest, target, temporary } = work;
  const { task, signal, log, reporter } = context;
  const { access, facts } = target.chosen;
  const options = task.restore;
  const files = await writeLibpqFiles(access, temporary);
  const tool = await toolFor('pg_restore', Math.max(facts.major, majorOf(manifest.logical.tool)));
  const globalErrors = await makeGlobals(work, prepared);
  const done: (RestoredDatabase & { readonly name: string })[] = [];
  for (const plan of prepared.plans) {
    log.info({ database: plan.source.name, target: plan.targetName, way: plan.way }, 'restoring');
    try {
      const restored = await restoreDatabase({
        plan,
        access,
        serverMajor: facts.major,
        server: target.server,
        tool,
        files,
        options,
        adminDatabase: prepared.adminDatabase,
        temporaryName: temporaryName(task, plan.index),
        progress: prepared.progress,
        log,
        signal,
      });
      done.push({ ...restored, name: plan.targetName });
    } catch (error) {
      await reporter.facts(restoredFacts(done, globalErrors));
      throw afterOthers(error, done);
    }
  }
  await reporter.facts(restoredFacts(done, globalErrors));
  await assertAll(work, files, done);
  const kept = await dropReplaced(work, prepared.adminDatabase, done);
  return outcome(manifest, done, globalErrors, kept);
}

/** `pg_dump (PostgreSQL) 17.6 (Debian 17.6-1)`. */
function majorOf(tool: string): number {
  return Number(/\b(\d+)(\.|beta|rc|devel)/.exec(tool)?.[1] ?? 0);
}

/** Of this request alone: a later attempt finds what an earlier one left, and no other does. */
function temporaryName({ request }: RestoreTask, index: number): string {
  return `tidemark_restore_${request.uid.slice(0, 36)}_${index}`;
}

async function makeGlobals(
  { target, context }: Work,
  { globals, plans, adminDatabase }: Prepared,
): Promise<readonly string[]> {
  if (globals === undefined) return [];
  const { signal, log, task } = context;
  const { access } = target.chosen;
  const errors = await withConnection(access, adminDatabase, signal, (query) => restoreGlobals(globals, query));
  if (errors.length > 0) log.warn({ errors }, 'not all of the roles and tablespaces could be restored');
  const server = await readServer(target.chosen, task, signal);
  try {
    for (const { selection } of plans) requirePrerequisites(selection.entries, task.restore, server);
  } catch (error) {
    if (!(error instanceof Failure) || errors.length === 0) throw error;
    throw terminal(
      error.reason,
      `${error.message.replace('Nothing was changed.', 'No database was changed.')} globals: Restore failed: ${errors.slice(0, 3).join('; ')}`,
      error,
    );
  }
  return errors;
}

function afterOthers(error: unknown, done: readonly { readonly name: string }[]): unknown {
  if (done.length === 0 || !(error instanceof Failure)) return error;
  const aftermath = `Restored before that, and left so: ${done.map(({ name }) => name).join(', ')}.`;
  const { reason, message } = withAftermath(error, aftermath);
  // A new try of all would meet those that are there now.
  return error.reason === 'Cancelled' ? new Failure(error.reason, message, error) : terminal(reason, message, error);
}

function restoredFacts(done: readonly RestoredDatabase[], globalErrors: readonly string[]) {
  const sum = (field: 'objects' | 'errors') => done.reduce((total, one) => total + one[field], 0);
  const firstErrors = [...globalErrors, ...done.flatMap((one) => one.firstErrors)];
  return {
    restored: {
      databases: done.length,
      objects: sum('objects'),
      errors: sum('errors') + globalErrors.length,
      ...(firstErrors.length === 0
        ? {}
        : { firstErrors: firstErrors.slice(0, 10).map((error) => [...error].slice(0, 2048).join('')) }),
    },
  };
}

async function assertAll(
  { context, target }: Work,
  files: LibpqFiles,
  done: readonly (RestoredDatabase & { readonly name: string })[],
): Promise<void> {
  const { task, signal, reporter } = context;
  const { assertions } = task.restore;
  if (assertions.length === 0) return;
  const { access, facts } = target.chosen;
  const psql = await toolFor('psql', facts.major);
  const results = await checkAssertions(assertions, psql, { access, files }, signal);
  await reporter.facts({ assertions: results });
  const failed = describeFailedAssertions(results);
  if (failed === undefined) return;
  const kept = done.flatMap(({ name, keptAs }) => (keptAs === undefined ? [] : [`the old ${name} as ${keptAs}`]));
  throw terminal(
    'AssertionFailed',
    `${failed} The restore itself is complete, and its data stays${kept.length === 0 ? '' : `; kept besides: ${kept.join(', ')}`}. Look at the data, and remove what is not wanted.`,
  );
}

/** The replaced databases, now that the new ones are in and good; gives those that stay. */
async function dropReplaced(
  { context, target }: Work,
  adminDatabase: string,
  done: readonly RestoredDatabase[],
): Promise<readonly string[]> {
  const kept: string[] = [];
  for (const { keptAs } of done) {
    if (keptAs === undefined) continue;
    const drop = (query: Query) => dropDatabase(query, keptAs);
    try {
      await withConnection(target.chosen.access, adminDatabase, context.signal, drop, { statementTimeout: 0 });
    } catch (error) {
      context.log.warn({ err: error, database: keptAs }, 'could not drop the replaced database');
      kept.push(keptAs);
    }
  }
  return kept;
}

function outcome(
  { backupID }: Manifest,
  done: readonly (RestoredDatabase & { readonly name: string })[],
  globalErrors: readonly string[],
  kept: readonly string[],
): ActionOutcome {
  const { restored } = restoredFacts(done, globalErrors);
  const said = `Restored ${restored.objects} objects of backup ${backupID} into ${done.map(({ name }) => name).join(', ')}.`;
  const old = kept.length === 0 ? '' : ` The replaced database could not be dropped and is kept as ${kept.join(', ')}.`;
  if (restored.errors === 0) return { reason: 'Restored', message: said + old };
  return {
    reason: 'RestoredWithErrors',
    message: `${said} ${restored.errors} errors were passed over; the first are in status.restored.firstErrors.${old}`,
  };
}
