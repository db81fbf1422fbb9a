import { withConnection } from '../../postgres/query.ts';
import { unpackedFile } from '../../stream/unpacked-file.ts';
import type { Archive } from './archive.ts';
import { isCleaned, isDataOnly, type PgRestoreCall } from './plan-database.ts';
import type { RestoreJob } from './restore-job.ts';
import { isForeignTo, type LoadResult, runPgRestore } from './run-pg-restore.ts';
import type { Script } from './script/read-script.ts';
import { restoreScript } from './script/restore-script.ts';
import { readReplicaTriggers } from './trigger-states.ts';
import { wholeTar } from './whole-tar.ts';

/** Runs the dump into a database, with the tool of its format. */
export async function loadDump(job: RestoreJob, database: string): Promise<LoadResult> {
  const { archive, calls, selection } = job.plan;
  if (archive.format === 'Plain') {
    const result = await runScript(job, archive, database);
    job.progress.finished(selection.entries.length);
    return result;
  }
  const results: LoadResult[] = [];
  for (const call of calls) {
    results.push(await callPgRestore(job, archive.format, call, database));
    job.progress.finished(call.objects);
  }
  return {
    objects: sum(results.map(({ objects }) => objects)),
    errors: sum(results.map(({ errors }) => errors)),
    firstErrors: results.flatMap(({ firstErrors }) => firstErrors).slice(0, 10),
  };
}

function callPgRestore(
  job: RestoreJob,
  format: Archive['format'],
  { listFile, jobs }: PgRestoreCall,
  database: string,
): Promise<LoadResult> {
  const { plan, options, progress, tools, files, access, server, serverMajor, signal } = job;
  const { asked, targetName } = plan;
  return runPgRestore({
    tool: tools.restore,
    serverMajor,
    access,
    files,
    isSuperuser: server.isSuperuser,
    signal,
    input: plan.isPacked ? wholeTar(unpackedFile(plan.dump, job.compression, signal), plan.source.name) : undefined,
    options: {
      archive: plan.isPacked ? undefined : plan.dump,
      format,
      database,
      listFile,
      jobs,
      content: isDataOnly(plan) ? 'DataOnly' : asked.content,
      clean: isCleaned(plan),
      singleTransaction: plan.way === 'Into' && isAtomic(job),
      exitOnError: options.exitOnError,
      disableTriggers: isDataOnly(plan) && server.isSuperuser,
      noOwner: options.noOwner,
      noPrivileges: options.noPrivileges,
      noTablespaces: plan.missingTablespaces.length > 0,
      role: options.role,
    },
    onProgress: (output) => progress.restoring(`${targetName}: ${output.current() || 'connecting'}`, output.objects()),
  });
}

async function runScript(job: RestoreJob, script: Script, database: string): Promise<LoadResult> {
  const { plan, options, progress, tools, files, access, server, serverMajor, signal } = job;
  const { role, exitOnError, noOwner, noPrivileges } = options;
  const asReplica = isDataOnly(plan) && server.isSuperuser;
  const asleep = asReplica
    ? await withConnection(access, database, signal, (query) => readReplicaTriggers(plan.selection.entries, query))
    : [];
  return restoreScript({
    tool: tools.psql,
    access,
    files,
    isSuperuser: server.isSuperuser,
    database,
    path: plan.dump,
    compression: job.compression,
    script,
    parts: {
      clean: isCleaned(plan),
      noOwner,
      noPrivileges,
      noTablespaces: plan.missingTablespaces.length > 0,
      serverMajor,
      singleTransaction: plan.way === 'Into' && isAtomic(job),
    },
    options: { role, exitOnError, asReplica },
    asleep,
    signal,
    onProgress: (entry, objects) => progress.restoring(`${plan.targetName}: ${entry}`, objects),
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** One transaction, where the tool can do that and errors end it. */
export function isAtomic({ plan, options, tools, serverMajor }: RestoreJob): boolean {
  if (plan.jobs > 1 || !options.exitOnError) return false;
  return plan.archive.format === 'Plain' || !isForeignTo(tools.restore, serverMajor);
}

export function whyNotAtomic({ plan, options, tools, serverMajor }: RestoreJob): string {
  if (plan.jobs > 1) return `jobs is ${plan.jobs}`;
  if (!options.exitOnError) return 'exitOnError is false';
  return `pg_restore ${tools.restore.major} cannot do that on PostgreSQL ${serverMajor}`;
}
