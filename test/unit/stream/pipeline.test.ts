import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compressor, decompressor } from '../../../src/stream/compress.ts';
import { type PipelineOptions, runPipeline, type Stage } from '../../../src/stream/pipeline.ts';
import { StageFailed } from '../../../src/stream/stage-failed.ts';

let abort: AbortController;
beforeEach(() => {
  abort = new AbortController();
});
afterEach(() => abort.abort());

const run = (stages: readonly Stage[], options: Partial<PipelineOptions> = {}) =>
  runPipeline(stages, { signal: abort.signal, ...options });
const sh = (script: string): Stage => ({ command: 'sh', args: ['-c', script] });
const read = async (stages: readonly Stage[], options: Partial<PipelineOptions> = {}) =>
  Buffer.concat(await Array.fromAsync(run(stages, options).output)).toString();
const zstd = compressor({ algorithm: 'zstd', level: 1 });
const unzstd = decompressor({ algorithm: 'zstd' });
if (zstd === undefined || unzstd === undefined) throw new Error('zstd is a stage');

test('connects processes and gives out what the last one writes', async () => {
  expect(await read([sh('echo one; echo two'), { command: 'tr', args: ['a-z', 'A-Z'] }])).toBe('ONE\nTWO\n');
});

test('feeds an input of many chunks through and gets every byte back', async () => {
  const fed = createHash('sha256');
  async function* input() {
    for (let index = 0; index < 2000; index += 1) {
      const chunk = Buffer.alloc(50_000, index % 251);
      fed.update(chunk);
      yield chunk;
    }
  }
  const { output, finished } = run([zstd, unzstd], { input: input() });
  const got = createHash('sha256');
  for await (const chunk of output) got.update(chunk);
  expect(got.digest('hex')).toBe(fed.digest('hex'));
  expect((await finished).map(({ command }) => command)).toEqual(['zstd', 'zstd']);
});

test('an input is read no faster than the stages read it', async () => {
  let given = 0;
  async function* input() {
    for (; given < 1000; given += 1) yield Buffer.alloc(64 * 1024);
  }
  const { output } = run([{ command: 'cat', args: [] }], { input: input() });
  const reader = output[Symbol.asyncIterator]();
  await reader.next();
  expect(given).toBeLessThan(100);
  await reader.return?.();
});

test.each([
  ['first', [sh('echo begin; echo no space >&2; exit 3'), sh('cat'), sh('cat')], 3],
  ['middle', [sh('yes'), sh('head -c 10; echo no space >&2; exit 4'), sh('cat')], 4],
  ['last', [sh('yes'), sh('cat'), sh('head -c 10 >/dev/null; echo no space >&2; exit 5')], 5],
] as const)('the %s stage failing is the error of the reader, not a short stream', async (_, stages, exitCode) => {
  const { output, finished } = run(stages);
  const failure = {
    command: 'sh',
    exitCode,
    stderr: 'no space\n',
    message: `sh exited with code ${exitCode}: no space`,
  };
  await expect(Array.fromAsync(output)).rejects.toMatchObject(failure);
  await expect(finished).rejects.toBeInstanceOf(StageFailed);
});

test('a stage that is killed is a failure', async () => {
  await expect(read([sh('echo half; kill -9 $$'), sh('cat')])).rejects.toMatchObject({ signal: 'SIGKILL' });
});

test('a program that does not exist is named', async () => {
  await expect(read([sh('yes'), { command: 'no-such-tool', args: [] }])).rejects.toThrow(
    'no-such-tool could not be started',
  );
  await expect(read([{ command: 'no-such-tool', args: [] }, sh('cat')])).rejects.toThrow(
    'no-such-tool could not be started',
  );
});

test('an abort ends every process, one that ignores SIGTERM too, and its reason is the error', async () => {
  const stubborn = sh('trap "" TERM; echo $$; while :; do sleep 0.05; done');
  const { output, finished } = run([stubborn, sh('cat')], { killAfterMilliseconds: 200 });
  const reader = output[Symbol.asyncIterator]();
  const pid = Number(String((await reader.next()).value));
  abort.abort(new Error('the Job was deleted'));
  await expect(finished).rejects.toThrow('the Job was deleted');
  await expect(reader.next()).rejects.toThrow('the Job was deleted');
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('a reader that stops early ends every process', async () => {
  const { output, finished } = run([sh('yes')]);
  for await (const _ of output) break;
  await expect(finished).rejects.toThrow('nobody reads');
});

test('an input that fails ends the stages with its own error', async () => {
  async function* input() {
    yield Buffer.from('half');
    throw new Error('the download broke');
  }
  await expect(read([{ command: 'cat', args: [] }], { input: input() })).rejects.toThrow('the download broke');
});

test('a last stage that stops reading is a failure, unless it may', async () => {
  const stages = [{ command: 'yes', args: [] }, sh('head -c 4')];
  await expect(read(stages)).rejects.toMatchObject({ command: 'yes' });
  expect(await read(stages, { mayStopReading: true })).toBe('y\ny\n');
});

test.each(['zstd', 'gzip', 'lz4'] as const)('a reader that has enough is no fault of %s', async (algorithm) => {
  const [pack, unpack] = [compressor({ algorithm }), decompressor({ algorithm })];
  if (pack === undefined || unpack === undefined) throw new Error('no stage');
  const stages = [sh('head -c 20000000 /dev/urandom'), pack, unpack, sh('head -c 4 | wc -c')];
  expect((await read(stages, { mayStopReading: true })).trim()).toBe('4');
});

test('an input that is not read to its end is a failure, unless it may be', async () => {
  async function* input() {
    for (;;) yield Buffer.alloc(64 * 1024, 'a');
  }
  const stages = [sh('head -c 3')];
  await expect(read(stages, { input: input() })).rejects.toThrow('before it had read its whole input');
  expect(await read(stages, { input: input(), mayStopReading: true })).toBe('aaa');
});

test('a silent input does not keep the pipeline once the stages have failed', async () => {
  async function* input() {
    yield Buffer.from('x');
    await new Promise(() => undefined);
  }
  await expect(read([sh('exit 7')], { input: input() })).rejects.toMatchObject({ exitCode: 7 });
});

test('damaged zstd data is a failure of zstd', async () => {
  const packed = Buffer.concat(await Array.fromAsync(run([sh('seq 100000'), zstd]).output));
  packed.writeUInt8(packed.readUInt8(packed.length - 100) ^ 1, packed.length - 100);
  async function* input() {
    yield packed;
  }
  await expect(read([unzstd, { command: 'cat', args: [] }], { input: input() })).rejects.toMatchObject({
    command: 'zstd',
  });
});

test('keeps the end of a long standard error only', async () => {
  const failing = run([sh('seq 100000 >&2; exit 1')], { stderrLimit: 100 }).finished;
  await expect(failing).rejects.toMatchObject({ stderr: expect.stringMatching(/^….{0,100}100000\n$/s) });
});

test('output that is ignored does not stop the stage', async () => {
  const { finished } = run([sh('seq 1000000; echo done >&2')], { stdout: 'ignore' });
  expect(await finished).toEqual([{ command: 'sh', stderr: 'done\n' }]);
});
