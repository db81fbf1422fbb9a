import { terminal } from '../../domain/failure.ts';
import type { LogicalManifest } from '../../domain/manifest.ts';
import { withConnection } from '../../postgres/query.ts';
import { type LibpqFiles, toolFor } from '../../postgres/tools.ts';
import type { ActionOutcome } from '../action.ts';
import { checkAssertions, describeFailedAssertions } from './check-assertions.ts';
import { type ConnectTo, dropDatabase } from './create-database.ts';
import type { RestoredDatabase } from './restore-database.ts';
import type { Work } from './work.ts';

export type Restored = RestoredDatabase & {
  /** In the target. */
  readonly name: string;
};

/** For the status. */
export function restoredFacts(done: readonly RestoredDatabase[], globalErrors: readonly string[]) {
  const sum = (field: 'objects' | 'errors') => done.reduce((total, one) => total + one[field], 0);
  const firstErrors = [...globalErrors, ...done.flatMap((one) => one.firstErrors)];
  const extensions = done.flatMap((one) => one.extensions);
  return {
    restored: {
      databases: done.length,
      objects: sum('objects'),
      errors: sum('errors') + globalErrors.length,
      ...(firstErrors.length === 0
        ? {}
        : { firstErrors: firstErrors.slice(0, 10).map((error) => [...error].slice(0, 2048).join('')) }),
      ...(extensions.length === 0 ? {} : { extensions: extensions.slice(0, 256) }),
    },
  };
}

/** Asks the assertions; a terminal AssertionFailed says what stays where. */
export async function assertAll(
  { context, target }: Work,
  files: LibpqFiles,
  done: readonly Restored[],
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
export async function dropReplaced(
  { context, target }: Work,
  adminDatabase: string,
  done: readonly RestoredDatabase[],
): Promise<readonly string[]> {
  const connect: ConnectTo = (database, use) =>
    withConnection(target.chosen.access, database, context.signal, use, { statementTimeout: 0 });
  const kept: string[] = [];
  for (const { keptAs } of done) {
    if (keptAs === undefined) continue;
    try {
      await dropDatabase(connect, adminDatabase, keptAs);
    } catch (error) {
      context.log.warn({ err: error, database: keptAs }, 'could not drop the replaced database');
      kept.push(keptAs);
    }
  }
  return kept;
}

export function outcomeOf(
  { backupID }: LogicalManifest,
  done: readonly Restored[],
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
