import { databasePath } from '../../domain/layout.ts';
import { libpqEnvironment } from '../../postgres/tools.ts';
import { compressedSuffix, compressor } from '../../stream/compress.ts';
import { storeContentsOfCustom } from './contents.ts';
import type { Dumped, DumpJob } from './dump.ts';
import { pgDumpArgs } from './pg-dump-args.ts';
import { bytesWritten } from './processes.ts';
import { storeStream } from './store-stream.ts';

/** pg_dump's Custom format as one object: nothing touches a disk. */
export async function dumpCustom(job: DumpJob): Promise<Dumped> {
  const { access, files, tools, database, logical, compression, targets, meter, step, signal } = job;
  const folder = databasePath(database.name);
  const dump = await storeStream({
    targets,
    path: `${folder}/dump.custom${compressedSuffix(compression)}`,
    stages: [
      {
        command: tools.dump.path,
        args: pgDumpArgs(logical, { format: 'Custom' }),
        env: libpqEnvironment(access, database.name, files),
      },
      compressor(compression),
    ],
    signal,
    onStart: ({ pids: [pid] }) => meter.begin(step, database.bytes, () => bytesWritten(pid)),
  });
  meter.end();
  return { objects: [dump], contents: await storeContentsOfCustom(job, dump) };
}
