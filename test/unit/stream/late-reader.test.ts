import { expect, test } from 'vitest';
import { runPipeline } from '../../../src/stream/pipeline.ts';

test.each([1, 70_000])('%i bytes of a process that has gone are there for a reader that comes later', async (size) => {
  const { signal } = new AbortController();
  const { output, finished } = runPipeline([{ command: 'head', args: ['-c', String(size), '/dev/zero'] }], { signal });
  // Less than a pipe holds, so that the process need not wait for its reader.
  if (size < 65_536) await finished;
  const bytes = Buffer.concat(await Array.fromAsync(output));
  expect(bytes.length).toBe(size);
});
