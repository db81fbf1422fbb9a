import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { terminal, transient } from '../../domain/failure.ts';
import { backupPath, databasePath } from '../../domain/layout.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import { libpqEnvironment } from '../../postgres/tools.ts';
import { compressedSuffix, compressor, decompressor } from '../../stream/compress.ts';
import { runPipeline, type Stage } from '../../stream/pipeline.ts';
import type { DumpJob } from './dump.ts';
import { createListReader, type ListSummary } from './list-reader.ts';
import { storeChecked } from './store-checked.ts';
import { type Watched, watchBeginning } from './watch-beginning.ts';

/**
 * Reads the head of a stored Custom or Tar dump back and stores its table of contents as pg_restore prints it: what is in
 * the repository is a dump, and says of what.
 */
export async function storeContentsOfArchive(
  job: DumpJob,
  dump: StoredObject,
  format: 'Custom' | 'Tar',
): Promise<StoredObject> {
  const [target] = job.targets;
  if (target === undefined) throw new Error('a backup without a repository');
  const signal = job.signal;
  const input = await target.store.download(`${backupPath(target.location)}/${dump.path}`, { signal });
  const { output } = runPipeline(listStages(job, format), { signal, input, mayStopReading: true });
  return (await storeList(job, output)).contents;
}

/**
 * The same of a dump that nobody here can read back, as one that is encrypted on its way: its head is read as it passes by,
 * packed. What is stored is then compared with what was sent (storeChecked).
 */
export function watchArchive(
  job: DumpJob,
  format: 'Custom' | 'Tar',
): { readonly watched: Watched; readonly storeContents: () => Promise<StoredObject> } {
  const file = join(job.scratch, 'contents.list');
  const watched = watchBeginning(listStages(job, format), file, job.signal);
  return {
    watched,
    async storeContents() {
      try {
        await watched.finished;
        return (await storeList(job, createReadStream(file))).contents;
      } finally {
        await rm(file, { force: true });
      }
    },
  };
}

/** Of a Plain dump, which pg_restore cannot read: what its own comments say, nothing where the database is empty. */
export async function storeContentsOfScript(job: DumpJob, list: Buffer): Promise<StoredObject> {
  return storeText(job, inPieces(list));
}

async function* inPieces(list: Buffer): AsyncGenerator<Buffer, void, void> {
  yield list;
}

/** The same of a staged Directory dump, and what the list says, for comparison with the files that were stored. */
export async function storeContentsOfDirectory(
  job: DumpJob,
  folder: string,
): Promise<{ readonly contents: StoredObject; readonly summary: ListSummary }> {
  const { output } = runPipeline([listStage(job, 'Directory', folder)], { signal: job.signal });
  return storeList(job, output);
}

function listStages(job: DumpJob, format: 'Custom' | 'Tar'): readonly Stage[] {
  return [decompressor(job.compression), listStage(job, format)].filter((stage) => stage !== undefined);
}

function listStage(
  { tools, access, database, files }: DumpJob,
  format: 'Custom' | 'Tar' | 'Directory',
  folder?: string,
): Stage {
  const args = ['--list', `--format=${format.toLowerCase()}`, ...(folder === undefined ? [] : [folder])];
  return { command: tools.restore.path, args, env: libpqEnvironment(access, database.name, files) };
}

async function storeList(
  job: DumpJob,
  list: AsyncIterable<Buffer>,
): Promise<{ readonly contents: StoredObject; readonly summary: ListSummary }> {
  const reader = createListReader();
  const contents = await storeText(job, reader.pass(list));
  const summary = reader.summary();
  if (summary.entries === 0) {
    throw transient(
      'EmptyDump',
      `The dump of database ${job.database.name} has an empty table of contents, so it is not a backup. Start the backup again; if it stays so, look at the server's log.`,
    );
  }
  return { contents, summary };
}

function storeText({ targets, database, compression, signal }: DumpJob, input: AsyncIterable<Buffer>) {
  const path = `${databasePath(database.name)}/contents.list${compressedSuffix(compression)}`;
  return storeChecked({ targets, path, stages: [compressor(compression)], input, signal });
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
