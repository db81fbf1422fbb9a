import { databasePath } from '../../domain/layout.ts';
import type { ManifestDatabase } from '../../domain/manifest.ts';
import { libpqEnvironment } from '../../postgres/tools.ts';
import { compressedSuffix, compressor } from '../../stream/compress.ts';
import { type Pipeline, runPipeline, type Stage } from '../../stream/pipeline.ts';
import { readAlong } from '../../stream/read-along.ts';
import { storeContentsOfArchive, storeContentsOfScript, watchArchive } from './contents.ts';
import { type Dumped, type DumpJob, warningsOf } from './dump.ts';
import { pgDumpArgs } from './pg-dump-args.ts';
import { bytesWritten } from './processes.ts';
import { createScriptContents } from './script-contents.ts';
import { storeChecked } from './store-checked.ts';

export type StreamedFormat = Exclude<ManifestDatabase['format'], 'Directory'>;

const endings: Readonly<Record<StreamedFormat, string>> = { Custom: 'custom', Tar: 'tar', Plain: 'sql' };

/**
 * A dump that pg_dump writes to a pipe, as one object. Nothing touches a disk, but for Tar: pg_dump puts each table into a
 * temporary file first, since a tar tells a member's size before its content.
 */
export async function dumpStream(job: DumpJob, format: StreamedFormat): Promise<Dumped> {
  const path = `${databasePath(job.database.name)}/dump.${endings[format]}${compressedSuffix(job.compression)}`;
  return format === 'Plain' ? dumpScript(job, path) : dumpArchive(job, path, format);
}

async function dumpArchive(job: DumpJob, path: string, format: 'Custom' | 'Tar'): Promise<Dumped> {
  const { compression, targets, signal } = job;
  // To read it back from one of several would hang on that one.
  if (targets.length > 1 || targets.some(({ encryption }) => encryption !== undefined))
    return dumpWatched(job, path, format);
  let dump: Pipeline | undefined;
  const stored = await storeChecked({
    targets,
    path,
    stages: [dumpStage(job, format), compressor(compression)],
    signal,
    onStart: (pipeline) => {
      dump = pipeline;
      measure(job, pipeline);
    },
  });
  job.meter.end();
  const contents = await storeContentsOfArchive(job, stored, format);
  return { objects: [stored], contents, warnings: warningsOf((await dump?.finished)?.[0]?.stderr) };
}

/** What nobody here can read back, or from where is not sure, is read on its way. */
async function dumpWatched(job: DumpJob, path: string, format: 'Custom' | 'Tar'): Promise<Dumped> {
  const stopping = new AbortController();
  const linked = { ...job, signal: AbortSignal.any([job.signal, stopping.signal]) };
  const { targets, compression, signal } = linked;
  const stages = [dumpStage(job, format), compressor(compression)].filter((stage) => stage !== undefined);
  const dump = runPipeline(stages, { signal });
  measure(job, dump);
  const { watched, storeContents } = watchArchive(linked, format);
  try {
    const stored = await storeChecked({ targets, path, stages: [], input: watched.pass(dump.output), signal });
    job.meter.end();
    const contents = await storeContents();
    return { objects: [stored], contents, warnings: warningsOf((await dump.finished)[0]?.stderr) };
  } finally {
    stopping.abort();
    await Promise.allSettled([dump.finished, watched.finished]);
  }
}

/** It is read on its way, as it was packed. */
async function dumpScript(job: DumpJob, path: string): Promise<Dumped> {
  const { compression, targets, database } = job;
  const script = createScriptContents(database.name);
  const stopping = new AbortController();
  const signal = AbortSignal.any([job.signal, stopping.signal]);
  const stages = [dumpStage(job, 'Plain'), compressor(compression)].filter((stage) => stage !== undefined);
  const dump = runPipeline(stages, { signal });
  measure(job, dump);
  try {
    const input = readAlong(dump.output, compression, script.pass, signal);
    const stored = await storeChecked({ targets, path, stages: [], input, signal });
    job.meter.end();
    const contents = await storeContentsOfScript(job, script.list());
    return { objects: [stored], contents, warnings: warningsOf((await dump.finished)[0]?.stderr) };
  } finally {
    stopping.abort();
    await dump.finished.catch(() => undefined);
  }
}

function dumpStage({ access, files, tools, database, logical }: DumpJob, format: StreamedFormat): Stage {
  return {
    command: tools.dump.path,
    args: pgDumpArgs(logical, { format }),
    env: libpqEnvironment(access, database.name, files),
  };
}

function measure({ meter, step, database }: DumpJob, { pids: [pid] }: Pipeline): void {
  meter.begin(step, database.bytes, () => bytesWritten(pid));
}
