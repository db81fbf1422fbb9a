import { Failure, terminal, transient } from '../../domain/failure.ts';
import { backupPath, databasePath } from '../../domain/layout.ts';
import type { FailedDatabase, ManifestDatabase } from '../../domain/manifest.ts';
import { type Query, withConnection } from '../../postgres/query.ts';
import { readSourceFacts, type SourceFacts } from '../../postgres/source-facts.ts';
import { StageFailed } from '../../stream/stage-failed.ts';
import { type Database, isNamed } from './databases.ts';
import { type Dumped, type DumpJob, failureOfStage } from './dump.ts';
import { dumpDirectory } from './dump-directory.ts';
import { dumpStream } from './dump-stream.ts';
import { printable, tellFailed } from './failed-databases.ts';
import { findHidden } from './hidden.ts';
import type { Target } from './targets.ts';
import { whereabouts } from './whereabouts.ts';

export interface DumpedDatabases {
  readonly dumped: readonly ManifestDatabase[];
  /** Those that cannot be dumped until a person has mended something. */
  readonly failed: readonly FailedDatabase[];
  /** Names of those that somebody dropped after they were listed, and that the policy does not name. */
  readonly dropped: readonly string[];
  readonly warnings: Warnings;
}

/** What pg_dump complained of, by the database's name: it may have left something out. */
export type Warnings = ReadonlyMap<string, readonly string[]>;

export interface DatabasesJob extends Omit<DumpJob, 'database' | 'step'> {
  /** The database from which the server's list of databases is read. */
  readonly maintenance: string;
  readonly databases: readonly Database[];
  readonly onBegin: (database: Database, step: string) => void;
  readonly onFailed: (failed: readonly FailedDatabase[]) => Promise<void>;
}

/**
 * Dumps one database after another. One that cannot be dumped does not stop the others; what may pass by itself does, and
 * what is not of one database alone. Where no database could be dumped, that is the failure. One that is gone meanwhile is
 * left out where only a pattern meant it.
 */
export async function dumpDatabases(job: DatabasesJob): Promise<DumpedDatabases> {
  const { databases, logical, targets } = job;
  const dumped: ManifestDatabase[] = [];
  const failed: FailedDatabase[] = [];
  const dropped: string[] = [];
  const warnings = new Map<string, readonly string[]>();
  let last: Failure | undefined;
  for (const [index, database] of databases.entries()) {
    const { name, encoding, collate, ctype, owner, bytes } = database;
    const step = `dumping ${printable(name)} (${index + 1} of ${databases.length})`;
    job.onBegin(database, step);
    const result = await dumpTwice({ ...job, database, step });
    if (result === 'Dropped') {
      dropped.push(name);
      await removeDump(targets, name);
      continue;
    }
    if (result instanceof Failure) {
      last = result;
      failed.push({ name, reason: result.reason, message: result.message });
      await removeDump(targets, name);
      await job.onFailed(failed);
      continue;
    }
    const { objects, contents, facts } = result;
    const { format } = logical;
    dumped.push({ name, format, encoding, collate, ctype, owner, bytes, objects: [...objects], contents, ...facts });
    if (result.warnings.length > 0) warnings.set(name, result.warnings);
  }
  if (dumped.length > 0) return { dumped, failed, dropped, warnings };
  throw failed.length === 1 && last !== undefined ? last : noneDumped(failed);
}

function noneDumped(failed: readonly FailedDatabase[]): Failure {
  if (failed.length === 0) {
    return terminal(
      'NothingToBackUp',
      'Every database that logical.databases means was dropped while the backup ran. Correct the patterns, or make the databases again.',
    );
  }
  const [first, ...others] = new Set(failed.map(({ reason }) => reason));
  const reason = first === undefined || others.length > 0 ? 'DatabasesFailed' : first;
  return terminal(reason, tellFailed(failed, failed.length));
}

interface DumpedWithFacts extends Dumped {
  readonly facts: SourceFacts;
}

/** Somebody may drop an object while pg_dump looks at it, and then the catalog looks damaged for that once. */
async function dumpTwice(job: OneJob): Promise<DumpedWithFacts | Failure | 'Dropped'> {
  const first = await dumpOne(job);
  if (!(first instanceof Failure) || first.reason !== 'CatalogDamaged') return first;
  await removeDump(job.targets, job.database.name);
  return dumpOne(job);
}

type OneJob = DumpJob & Pick<DatabasesJob, 'maintenance'>;

/** A Failure where it is this database that stands in the way, and stays so; anything else is thrown. */
async function dumpOne(job: OneJob): Promise<DumpedWithFacts | Failure | 'Dropped'> {
  const { access, database, logical, signal } = job;
  const format = logical.format;
  let connected = false;
  try {
    // pg_dump's words come without a code and in the server's tongue: what stops a connection is found out here.
    const { hidden, facts } = await withConnection(access, database.name, signal, readBeside);
    connected = true;
    const dumped = await (format === 'Directory' ? dumpDirectory(job) : dumpStream(job, format));
    return { ...dumped, facts, warnings: [...hidden, ...dumped.warnings] };
  } catch (error) {
    signal.throwIfAborted();
    const failure = failureOfStage(error, access, database.name);
    if (!(failure instanceof Failure)) throw failure;
    // A repository that refuses something refuses it for all of them.
    const isItsOwn = !connected || error instanceof StageFailed || failure.reason === 'IncompleteDump';
    const left = isItsOwn ? await ifGone(job, failure) : undefined;
    if (left !== undefined) return left;
    if (isItsOwn && !failure.retryable) return failure;
    throw failure;
  }
}

/** Undefined where the database is still there, and the failure is another. */
async function ifGone(job: OneJob, failure: Failure): Promise<Failure | 'Dropped' | undefined> {
  const { access, database, logical, maintenance, signal } = job;
  const name = printable(database.name);
  switch (await whereabouts(access, maintenance, database, signal)) {
    case 'There':
      return undefined;
    case 'Moved':
      throw transient(
        'DatabaseMoved',
        `Database ${name} was renamed or replaced while the backup ran. Start the backup again: it reads the list of databases anew.`,
        failure,
      );
    case 'Dropped':
      if (!isNamed(logical.databases, database.name)) return 'Dropped';
      return terminal(
        'DatabaseNotFound',
        `Database ${name} was dropped while the backup ran, and logical.databases.include names it. Make it again, or take it out of the list.`,
        failure,
      );
  }
}

/** What a dump does not tell of its database. */
async function readBeside(query: Query) {
  return { hidden: await findHidden(query), facts: await readSourceFacts(query) };
}

/** Long enough for thousands of objects. */
const removalTime = 20_000;

/** What stays nevertheless is named by no manifest, and goes with the backup's folder. */
async function removeDump(targets: readonly Target[], database: string): Promise<void> {
  const signal = AbortSignal.timeout(removalTime);
  const remove = async ({ store, location }: Target) => {
    const folder = `${backupPath(location)}/${databasePath(database)}/`;
    const keys: string[] = [];
    for await (const { key } of store.list(folder, { signal })) keys.push(key);
    await store.delete(keys, { signal });
    await store.sweepUnfinished(folder, new Date(8.64e15), { signal });
  };
  await Promise.allSettled(targets.map(remove));
}
