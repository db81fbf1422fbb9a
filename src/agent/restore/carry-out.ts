import { Failure, terminal } from '../../domain/failure.ts';
import { withConnection } from '../../postgres/query.ts';
import { toolFor, writeLibpqFiles } from '../../postgres/tools.ts';
import type { ActionOutcome } from '../action.ts';
import { assertAll, dropReplaced, outcomeOf, type Restored, restoredFacts } from './conclude.ts';
import type { Prepared } from './prepare.ts';
import { requirePrerequisites } from './prerequisites.ts';
import { restoreDatabase } from './restore-database.ts';
import { withAftermath } from './restore-failure.ts';
import { restoreGlobals } from './restore-globals.ts';
import { sweepUnfinished, unfinishedName } from './sweep-unfinished.ts';
import { readServer, type Work } from './work.ts';

/** Does what was prepared: roles, database by database, then the questions. The replaced databases go last. */
export async function carryOut(work: Work, prepared: Prepared): Promise<ActionOutcome> {
  const { context, manifest, target, temporary } = work;
  const { task, signal, log, reporter } = context;
  const { access, facts } = target.chosen;
  const options = task.restore;
  const files = await writeLibpqFiles(access, temporary);
  const major = Math.max(facts.major, majorOf(manifest.logical.tool));
  const tools = { restore: await toolFor('pg_restore', major), psql: await toolFor('psql', major) };
  const globalErrors = await makeGlobals(work, prepared);
  await sweepUnfinished(
    (database, use) => withConnection(access, database, signal, use, { statementTimeout: 0 }),
    prepared.adminDatabase,
    task.request.uid,
    log,
  );
  const done: Restored[] = [];
  for (const plan of prepared.plans) {
    log.info({ database: plan.source.name, target: plan.targetName, way: plan.way }, 'restoring');
    try {
      const restored = await restoreDatabase({
        plan,
        access,
        serverMajor: facts.major,
        server: target.server,
        tools,
        files,
        options,
        compression: work.from.compression,
        adminDatabase: prepared.adminDatabase,
        temporaryName: unfinishedName(task.request.uid, plan.index),
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
  prepared.progress.complete();
  return outcomeOf(manifest, done, globalErrors, kept);
}

/** `pg_dump (PostgreSQL) 17.6 (Debian 17.6-1)`. */
function majorOf(tool: string): number {
  return Number(/\b(\d+)(\.|beta|rc|devel)/.exec(tool)?.[1] ?? 0);
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
