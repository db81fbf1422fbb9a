import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { runPipeline, type Stage } from '../../stream/pipeline.ts';
import { createFeed } from '../physical/feed.ts';

/** A stream that some processes read the beginning of, while it goes where it has to. */
export interface Watched {
  /** Gives the stream on as it is; rejects where the processes fail. */
  readonly pass: (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer, void, void>;
  /** The processes have succeeded, and what they wrote is in the file. */
  readonly finished: Promise<void>;
}

/** The processes may stop reading before the stream's end: nothing is kept for them then. */
export function watchBeginning(stages: readonly Stage[], file: string, signal: AbortSignal): Watched {
  const feed = createFeed(signal);
  let reading = true;
  const finished = pipeline(
    Readable.from(runPipeline(stages, { signal, input: feed.stream, mayStopReading: true }).output),
    createWriteStream(file, { mode: 0o600 }),
    { signal },
  ).finally(() => {
    reading = false;
  });
  // It is awaited when the stream has passed.
  finished.catch(() => undefined);
  const offer = async (chunk: Buffer) => {
    const waiting = feed.write(chunk);
    if (waiting !== undefined) await Promise.race([waiting, finished]);
  };
  return {
    async *pass(source) {
      try {
        for await (const chunk of source) {
          if (reading) await offer(chunk);
          yield chunk;
        }
      } finally {
        feed.end();
      }
      await finished;
    },
    finished,
  };
}
