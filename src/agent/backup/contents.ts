import { terminal, transient } from '../../domain/failure.ts';
import { backupPath, databasePath } from '../../domain/layout.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import { libpqEnvironment } from '../../postgres/tools.ts';
import { compressedSuffix, compressor, decompressor } from '../../stream/compress.ts';
import { runPipeline, type Stage } from '../../stream/pipeline.ts';
import type { DumpJob } from './dump.ts';
import { createListReader, type ListSummary } from './list-reader.ts';
import { storeStream } from './store-stream.ts';

/**
 * Reads the head of a stored Custom dump back and stores its table of contents as pg_restore prints it: what is in the
 * repository is a dump, and says of what.
 */
export async function storeContentsOfCustom(job: DumpJob, dump: StoredObject): Promise<StoredObject> {
  const [target] = job.targets;
  if (target === undefined) throw new Error('a backup without a repository');
  const signal = job.signal;
  const input = await target.store.download(`${backupPath(target.location)}/${dump.path}`, { signal });
  const stages = [decompressor(job.compression), listStage(job)].filter((stage) => stage !== undefined);
  const { output } = runPipeline(stages, { signal, input, mayStopReading: true });
  return (await storeList(job, output)).contents;
}

/** The same of a staged Directory dump, and what the list says, for comparison with the files that were stored. */
export async function storeContentsOfDirectory(
  job: DumpJob,
  folder: string,
): Promise<{ readonly contents: StoredObject; readonly summary: ListSummary }> {
  const { output } = runPipeline([listStage(job, folder)], { signal: job.signal });
  return storeList(job, output);
}

function listStage({ tools, access, database, files }: DumpJob, folder?: string): Stage {
  const args = folder === undefined ? ['--list'] : ['--list', '--format=directory', folder];
  return { command: tools.restore.path, args, env: libpqEnvironment(access, database.name, files) };
}

async function storeList(
  { targets, database, compression, signal }: DumpJob,
  list: AsyncIterable<Buffer>,
): Promise<{ readonly contents: StoredObject; readonly summary: ListSummary }> {
  const reader = createListReader();
  const contents = await storeStream({
    targets,
    path: `${databasePath(database.name)}/contents.list${compressedSuffix(compression)}`,
    stages: [compressor(compression)],
    input: reader.pass(list),
    signal,
  });
  const summary = reader.summary();
  if (summary.entries === 0) {
    throw transient(
      'EmptyDump',
      `The dump of database ${database.name} has an empty table of contents, so it is not a backup. Start the backup again; if it stays so, look at the server's log.`,
    );
  }
  return { contents, summary };
}

/** Every table with data in the list has its file among those that were stored; otherwise the dump is not whole. */
export function requireDataFiles(database: string, { dataFiles }: ListSummary, stored: ReadonlySet<string>): void {
  const missing = dataFiles.filter((file) => !stored.has(file));
  if (missing.length === 0) return;
  throw terminal(
    'IncompleteDump',
    `The dump of database ${database} names ${missing.length} data files that pg_dump did not leave, the first ${missing[0]}. Nothing of this attempt was kept; please report this with the versions of Tidemark and PostgreSQL.`,
  );
}
