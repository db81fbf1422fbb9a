import { Failure } from '../../domain/failure.ts';
import { quoteIdentifier } from '../../postgres/advice.ts';
import { type Query, withConnection } from '../../postgres/query.ts';
import { analyze } from './analyze.ts';
import { type ConnectTo, createStatement, dropDatabase, propertyStatements } from './create-database.ts';
import { failureOf } from './database-failure.ts';
import { type RestoredExtension, readExtensions } from './extensions.ts';
import { isAtomic, loadDump, whyNotAtomic } from './load-dump.ts';
import { type DatabasePlan, isDataOnly } from './plan-database.ts';
import type { RestoreJob } from './restore-job.ts';
import { describe, type LoadResult } from './run-pg-restore.ts';
import { nameDatabase, swapDatabases } from './swap-database.ts';
import { readTriggerStates, setTriggerStates } from './trigger-states.ts';

export interface RestoredDatabase {
  readonly objects: number;
  readonly errors: number;
  readonly firstErrors: readonly string[];
  readonly extensions: readonly RestoredExtension[];
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
    const result = await keepTriggers(job, () => loadDump(job, plan.targetName));
    await analyzeOrWarn(job, plan.targetName);
    return { ...counted(result, plan), extensions: await extensionsOrNone(job, plan.targetName) };
  } catch (error) {
    const aftermath = atomic
      ? `It was one transaction, so database ${plan.targetName} is as it was.`
      : `It was not one transaction (${whyNotAtomic(job)}), so what was restored until then stays in database ${plan.targetName}; a new try has to use onConflict: Clean.`;
    const failure = failureOf(error, job, plan.targetName, aftermath);
    throw atomic ? failure : final(failure);
  }
}

/** Rows only: triggers are as they were when the rows are in, and where only some of them are. */
async function keepTriggers<Result>(job: RestoreJob, fill: () => Promise<Result>): Promise<Result> {
  const { plan, server } = job;
  if (!isDataOnly(plan) || !server.isSuperuser || plan.archive.format === 'Plain') return fill();
  const states = await connectTo(job)(plan.targetName, (query) => readTriggerStates(plan.selection.entries, query));
  if (states.length === 0) return fill();
  try {
    return await fill();
  } finally {
    const signal = AbortSignal.timeout(removalTime);
    await connectTo({ ...job, signal })(plan.targetName, (query) => setTriggerStates(states, query));
  }
}

/** Trying again would meet what this attempt left. */
function final(failure: Failure): Failure {
  return new Failure(failure.reason, failure.message, { retryable: false, cause: failure.cause });
}

async function restoreBeside(job: RestoreJob): Promise<RestoredDatabase> {
  const { plan, temporaryName } = job;
  try {
    await makeDatabase(job);
    const result = await loadDump(job, temporaryName);
    const errors = await setProperties(job);
    await analyzeOrWarn(job, temporaryName);
    const extensions = await extensionsOrNone(job, temporaryName);
    const keptAs = await putInPlace(job);
    const all = counted(result, plan);
    return {
      ...all,
      extensions,
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

async function makeDatabase(job: RestoreJob): Promise<void> {
  const { plan, temporaryName, options, server } = job;
  const { source, archive } = plan;
  const keepsOwner = !options.noOwner && server.roles.has(source.owner);
  const owner = keepsOwner ? source.owner : options.role === '' ? undefined : options.role;
  await dropDatabase(connectTo(job), job.adminDatabase, temporaryName);
  await onAdmin(job, (query) => query(createStatement(temporaryName, source, archive.entries, owner)));
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

/** What is in is in, also where nobody can be asked any more. */
async function extensionsOrNone(
  { plan, access, signal, log }: RestoreJob,
  database: string,
): Promise<readonly RestoredExtension[]> {
  try {
    return await withConnection(access, database, signal, (query) => readExtensions(plan, query));
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error, database: plan.targetName }, 'the versions of the extensions could not be read');
    return [];
  }
}

async function putInPlace(job: RestoreJob): Promise<string | undefined> {
  const { plan, temporaryName } = job;
  const connect = <Result>(use: (query: Query) => Promise<Result>) => onAdmin(job, use);
  if (plan.way === 'Create') {
    await nameDatabase(connect, temporaryName, plan.targetName);
    return undefined;
  }
  return await swapDatabases(connect, { temporary: temporaryName, name: plan.targetName });
}

function onAdmin<Result>(job: RestoreJob, use: (query: Query) => Promise<Result>): Promise<Result> {
  return connectTo(job)(job.adminDatabase, use);
}

function connectTo({ access, signal }: Pick<RestoreJob, 'access' | 'signal'>): ConnectTo {
  return (database, use) => withConnection(access, database, signal, use, { statementTimeout: 0 });
}

/** Within the grace period of a pod that is being ended. */
const removalTime = 20_000;

async function removeTemporary(job: RestoreJob): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(removalTime);
    await dropDatabase(connectTo({ ...job, signal }), job.adminDatabase, job.temporaryName);
    return true;
  } catch (error) {
    job.log.warn({ err: error, database: job.temporaryName }, 'could not remove the unfinished database');
    return false;
  }
}

function counted(
  { objects, errors, firstErrors }: LoadResult,
  { selection }: DatabasePlan,
): Omit<RestoredDatabase, 'extensions'> {
  // Some of them are told twice, by a worker and by its leader.
  return { objects: Math.min(objects, selection.entries.length), errors, firstErrors: firstErrors.map(describe) };
}
