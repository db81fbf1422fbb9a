import { mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { libpqEnvironment } from '../../postgres/tools.ts';
import { runPipeline } from '../../stream/pipeline.ts';
import { requireDataFiles, storeContentsOfDirectory } from './contents.ts';
import { type Dumped, type DumpJob, warningsOf } from './dump.ts';
import { createFinishedFiles } from './finished-files.ts';
import { pgDumpArgs } from './pg-dump-args.ts';
import { createShipper, type Shipper } from './ship-files.ts';
import { createThrottle, type Throttle } from './throttle.ts';

const pollMilliseconds = 100;
/** A look at a hundred thousand files takes its time; it may not take more than this part of it. */
const pollShare = 1 / 6;
const tableOfContents = 'toc.dat';

/**
 * pg_dump's Directory format with its parallel workers. It cannot write to a pipe, so that it is staged in scratch; but
 * each file that is finished goes to the repositories while others are still written, and leaves scratch then. What
 * scratch must hold is the tables that are being dumped at one time, and a few chunks.
 */
export async function dumpDirectory(job: DumpJob): Promise<Dumped> {
  // As the kernel names it.
  const folder = join(await realpath(job.scratch), 'dump');
  const stopping = new AbortController();
  const linked: DumpJob = { ...job, signal: AbortSignal.any([job.signal, stopping.signal]) };
  const throttle = createThrottle(linked.signal);
  const shipper = createShipper(linked, folder, throttle, (error) => stopping.abort(error));
  try {
    await mkdir(folder, { mode: 0o700 });
    const stderr = await dumpAndShip(linked, folder, shipper, throttle);
    const { contents, summary } = await storeContentsOfDirectory(linked, folder);
    const objects = await shipper.finish(tableOfContents);
    requireDataFiles(job.database.name, summary, shipper.names());
    return { objects, contents, warnings: warningsOf(stderr) };
  } catch (error) {
    stopping.abort(error);
    await shipper.settled();
    throw job.signal.aborted ? job.signal.reason : stopping.signal.reason;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Gives what pg_dump wrote to its standard error. */
async function dumpAndShip(
  job: DumpJob,
  folder: string,
  shipper: Shipper,
  throttle: Throttle,
): Promise<string | undefined> {
  const { access, files, tools, database, logical, meter, step, signal } = job;
  const dump = runPipeline(
    [
      {
        command: tools.dump.path,
        args: pgDumpArgs(logical, { format: 'Directory', folder }),
        env: libpqEnvironment(access, database.name, files),
      },
    ],
    { signal, stdout: 'ignore' },
  );
  throttle.watch(dump.pids[0]);
  const finishedFiles = createFinishedFiles(folder, dump.pids[0]);
  meter.begin(step, database.bytes, async () => shipper.bytes() + finishedFiles.bytesPresent());
  let running = true;
  const finished = dump.finished.finally(() => {
    running = false;
  });
  try {
    let pause = pollMilliseconds;
    while (running) {
      await Promise.race([finished, wait(pause)]);
      if (!running) break;
      const begun = performance.now();
      const files = await finishedFiles.whileRunning(tableOfContents);
      pause = Math.max(pollMilliseconds, (performance.now() - begun) / pollShare);
      await shipper.ship(files);
    }
    const [ended] = await finished;
    await shipper.ship(await finishedFiles.afterwards(tableOfContents));
    meter.end();
    return ended?.stderr;
  } finally {
    await finished.catch(() => undefined);
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
