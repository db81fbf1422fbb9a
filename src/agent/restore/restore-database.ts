import { Failure } from '../../domain/failure.ts';
import type { RestoreTask } from '../../domain/task.ts';
import type { ServerAccess } from '../../postgres/access.ts';
import { quoteIdentifier } from '../../postgres/advice.ts';
import { type Query, withConnection } from '../../postgres/query.ts';
import type { LibpqFiles, Tool } from '../../postgres/tools.ts';
import type { AgentLog } from '../log.ts';
import { analyze } from './analyze.ts';
import { createStatement, dropDatabase, propertyStatements } from './create-database.ts';
import { failureOf } from './database-failure.ts';
import type { DatabasePlan, PgRestoreCall } from './plan-database.ts';
import type { RestoreProgress } from './restore-progress.ts';
import { describe, isForeignTo, type PgRestoreResult, runPgRestore } from './run-pg-restore.ts';
import { keptName, nameDatabase, swapDatabases } from './swap-database.ts';
import type { TargetServer } from './target-server.ts';

export interface RestoreJob {
  readonly plan: DatabasePlan;
  readonly access: ServerAccess;
  readonly serverMajor: number;
  readonly server: TargetServer;
  readonly tool: Tool;
  readonly files: LibpqFiles;
  readonly options: RestoreTask['restore'];
  /** A database that is none of those restored. */
  readonly adminDatabase: string;
  /** Of this request alone, so that what an earlier attempt left under it may go. */
  readonly temporaryName: string;
  readonly progress: Pick<RestoreProgress, 'restoring' | 'finished'>;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

export interface RestoredDatabase {
  readonly objects: number;
  readonly errors: number;
  readonly firstErrors: readonly string[];
  /** The old database under its new name, where it was replaced. */
  readonly keptAs?: string;
}

/**
 * Restores one database. A new one is made under a name of its own and gets its real one when it is complete, so that
 * nobody ever sees half of it, also where this process is killed. A failure says what became of the target.
 */
export async function restoreDatabase(job: RestoreJob): Promise<RestoredDatabase> {
  return job.plan.way === 'Into' ? restoreInto(job) : restoreBeside(job);
}

async function restoreInto(job: RestoreJob): Promise<RestoredDatabase> {
  const { plan } = job;
  const atomic = isAtomic(job);
  try {
    const result = await pgRestore(job, plan.targetName);
    await analyzeOrWarn(job, plan.targetName);
    return counted(result, plan);
  } catch (error) {
    const aftermath = atomic
      ? `It was one transaction, so database ${plan.targetName} is as it was.`
      : `It was not one transaction (${whyNotAtomic(job)}), so what was restored until then stays in database ${plan.targetName}; a new try has to use onConflict: Clean.`;
    const failure = failureOf(error, job, plan.targetName, aftermath);
    throw atomic ? failure : final(failure);
  }
}

/** One transaction, where pg_restore can do that and errors end it. */
function isAtomic({ plan, options, tool, serverMajor }: RestoreJob): boolean {
  return plan.jobs === 1 && options.exitOnError && !isForeignTo(tool, serverMajor);
}

function whyNotAtomic({ plan, options, tool, serverMajor }: RestoreJob): string {
  if (plan.jobs > 1) return `jobs is ${plan.jobs}`;
  if (!options.exitOnError) return 'exitOnError is false';
  return `pg_restore ${tool.major} cannot do that on PostgreSQL ${serverMajor}`;
}

/** Trying again would meet what this attempt left. */
function final(failure: Failure): Failure {
  return new Failure(failure.reason, failure.message, { retryable: false, cause: failure.cause });
}

async function restoreBeside(job: RestoreJob): Promise<RestoredDatabase> {
  const { plan, temporaryName } = job;
  try {
    await onAdmin(job, (query) => makeDatabase(job, query));
    const result = await pgRestore(job, temporaryName);
    const errors = await setProperties(job);
    await analyzeOrWarn(job, temporaryName);
    const keptAs = await putInPlace(job);
    const all = counted(result, plan);
    return {
      ...all,
      errors: all.errors + errors.length,
      firstErrors: [...all.firstErrors, ...errors].slice(0, 10),
      ...(keptAs === undefined ? {} : { keptAs }),
    };
  } catch (error) {
    const removed = await removeTemporary(job);
    const state = plan.way === 'Create' ? 'nothing was changed' : `database ${plan.targetName} is as it was`;
    throw failureOf(
      error,
      job,
      plan.targetName,
      removed
        ? `The unfinished new database was removed, and ${state}.`
        : `Otherwise ${state}, but the unfinished database ${temporaryName} could not be removed; run: DROP DATABASE ${quoteIdentifier(temporaryName)} WITH (FORCE);`,
    );
  }
}

async function makeDatabase({ plan, temporaryName, options, server }: RestoreJob, query: Query): Promise<void> {
  const { source, archive } = plan;
  const keepsOwner = !options.noOwner && server.roles.has(source.owner);
  const owner = keepsOwner ? source.owner : options.role === '' ? undefined : options.role;
  await dropDatabase(query, temporaryName);
  await query(createStatement(temporaryName, source, archive.entries, owner));
}

async function pgRestore(job: RestoreJob, database: string): Promise<PgRestoreResult> {
  const results: PgRestoreResult[] = [];
  for (const call of job.plan.calls) {
    results.push(await callPgRestore(job, call, database));
    job.progress.finished(call.objects);
  }
  return {
    objects: sum(results.map(({ objects }) => objects)),
    errors: sum(results.map(({ errors }) => errors)),
    firstErrors: results.flatMap(({ firstErrors }) => firstErrors).slice(0, 10),
  };
}

function callPgRestore(job: RestoreJob, { listFile, jobs }: PgRestoreCall, database: string): Promise<PgRestoreResult> {
  const { plan, options, progress, tool, files, access, server, serverMajor, signal } = job;
  const { asked, archive, targetName } = plan;
  return runPgRestore({
    tool,
    serverMajor,
    access,
    files,
    isSuperuser: server.isSuperuser,
    signal,
    options: {
      archive: plan.dump,
      format: archive.format,
      database,
      listFile,
      jobs,
      content: asked.content,
      clean: plan.way === 'Into' && asked.onConflict === 'Clean',
      singleTransaction: plan.way === 'Into' && isAtomic(job),
      exitOnError: options.exitOnError,
      disableTriggers: asked.content === 'DataOnly' && server.isSuperuser,
      noOwner: options.noOwner,
      noPrivileges: options.noPrivileges,
      noTablespaces: plan.missingTablespaces.length > 0,
      role: options.role,
    },
    onProgress: (output) => progress.restoring(`${targetName}: ${output.current() || 'connecting'}`, output.objects()),
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Settings, comment and grants of the database itself; a chosen part of it does not bring them. */
async function setProperties({
  plan,
  options,
  adminDatabase,
  access,
  signal,
  temporaryName,
}: RestoreJob): Promise<readonly string[]> {
  if (!plan.selection.whole) return [];
  const errors: string[] = [];
  await withConnection(access, adminDatabase, signal, async (query) => {
    for (const statement of propertyStatements(plan.archive.entries, temporaryName, options)) {
      try {
        await query(statement);
      } catch (error) {
        if (options.exitOnError) throw error;
        errors.push(error instanceof Error ? error.message : String(error));
      }
    }
  });
  return errors;
}

/** Planner statistics come by themselves later; without them the restore is whole all the same. */
async function analyzeOrWarn({ plan, access, signal, log, progress }: RestoreJob, database: string): Promise<void> {
  if (plan.asked.content === 'SchemaOnly') return;
  progress.restoring(`${plan.targetName}: analyzing`, 0);
  try {
    await withConnection(access, database, signal, (query) => analyze(query, plan.selection), { statementTimeout: 0 });
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error, database: plan.targetName }, 'ANALYZE failed; autovacuum will do it later');
  }
}

async function putInPlace(job: RestoreJob): Promise<string | undefined> {
  const { plan, temporaryName } = job;
  const connect = <Result>(use: (query: Query) => Promise<Result>) => onAdmin(job, use);
  if (plan.way === 'Create') {
    await nameDatabase(connect, temporaryName, plan.targetName);
    return undefined;
  }
  const keptAs = keptName(plan.targetName, new Date());
  await swapDatabases(connect, { temporary: temporaryName, name: plan.targetName, keptAs });
  return keptAs;
}

function onAdmin<Result>(
  { access, adminDatabase, signal }: Pick<RestoreJob, 'access' | 'adminDatabase' | 'signal'>,
  use: (query: Query) => Promise<Result>,
): Promise<Result> {
  return withConnection(access, adminDatabase, signal, use, { statementTimeout: 0 });
}

/** Within the grace period of a pod that is being ended. */
const removalTime = 20_000;

async function removeTemporary(job: RestoreJob): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(removalTime);
    await onAdmin({ ...job, signal }, (query) => dropDatabase(query, job.temporaryName));
    return true;
  } catch (error) {
    job.log.warn({ err: error, database: job.temporaryName }, 'could not remove the unfinished database');
    return false;
  }
}

function counted({ objects, errors, firstErrors }: PgRestoreResult, { selection }: DatabasePlan): RestoredDatabase {
  // Some of them are told twice, by a worker and by its leader.
  return { objects: Math.min(objects, selection.entries.length), errors, firstErrors: firstErrors.map(describe) };
}
