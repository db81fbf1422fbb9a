import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { interruptible } from './interruptible.ts';
import { type Ended, watchProcess } from './process.ts';
import { StageFailed } from './stage-failed.ts';

/** One process, started without a shell. `env` replaces the whole environment. */
export interface Stage {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly cwd?: string | undefined;
}

export interface PipelineOptions {
  readonly signal: AbortSignal;
  /** Written to the first stage's standard input with back-pressure; without it, that is empty. */
  readonly input?: AsyncIterable<Buffer>;
  /** 'ignore' where the last stage's output is of no use; `output` is empty then. */
  readonly stdout?: 'pipe' | 'ignore';
  /** Bytes of each stage's standard error that are kept, from its end. */
  readonly stderrLimit?: number;
  /** Between SIGTERM and SIGKILL. */
  readonly killAfterMilliseconds?: number;
  /**
   * The last stage may succeed without reading everything (pg_restore of some tables only). Otherwise that is a failure.
   */
  readonly mayStopReading?: boolean;
}

export interface StageResult {
  readonly command: string;
  readonly stderr: string;
}

export interface Pipeline {
  /** What the last stage writes. It ends only after every stage has exited with 0; else it rejects as `finished` does. */
  readonly output: AsyncIterable<Buffer>;
  /**
   * Settles when every process has exited. Rejects with StageFailed of the stage at fault, with the input's own error, or
   * with the signal's reason. Where the output is read, it need not be awaited.
   */
  readonly finished: Promise<readonly StageResult[]>;
  /** Of each stage; undefined for one that could not be started. */
  readonly pids: readonly (number | undefined)[];
}

/**
 * Runs processes with each one's output as the next one's input: the operating system passes the bytes, they do not go
 * through this process. A failure anywhere ends all of them.
 */
export function runPipeline(stages: readonly Stage[], options: PipelineOptions): Pipeline {
  options.signal.throwIfAborted();
  const run = start(stages, options);
  const finished = supervise(run, stages, options);
  // It is the output's reader who gets the error, where nobody waits for `finished`.
  finished.catch(() => undefined);
  const stdout = run.children.at(-1)?.stdout ?? undefined;
  // When a process exits, Node throws away what nobody listens for: a reader may come later than that.
  stdout?.on('readable', () => undefined);
  return { output: readOutput(stdout, finished, run.stop), finished, pids: run.children.map(({ pid }) => pid) };
}

interface Run {
  readonly children: readonly ChildProcess[];
  /** Ends all processes; the first reason given is why. */
  readonly stop: (reason: unknown) => void;
  readonly stopped: AbortSignal;
}

function start(
  stages: readonly Stage[],
  { input, stdout = 'pipe', killAfterMilliseconds = 5000 }: PipelineOptions,
): Run {
  const children: ChildProcess[] = [];
  const stopping = new AbortController();
  const stop = (reason: unknown) => {
    if (stopping.signal.aborted) return;
    stopping.abort(reason);
    for (const child of children) kill(child, killAfterMilliseconds);
  };
  try {
    for (const [index, stage] of stages.entries()) {
      const upstream = children.at(-1)?.stdout ?? undefined;
      if (index > 0 && upstream === undefined) throw new Error('the process before it could not be started');
      children.push(
        spawn(stage.command, stage.args, {
          stdio: [
            upstream ?? (input === undefined ? 'ignore' : 'pipe'),
            index === stages.length - 1 ? stdout : 'pipe',
            'pipe',
          ],
          ...(stage.env === undefined ? {} : { env: stage.env }),
          ...(stage.cwd === undefined ? {} : { cwd: stage.cwd }),
        }),
      );
      // The next process has it now. Kept open here, its writer would never learn that the reader has died.
      upstream?.destroy();
    }
  } catch (cause) {
    const command = stages[children.length]?.command ?? 'the pipeline';
    const how = `could not be started (${cause instanceof Error ? cause.message : String(cause)})`;
    stop(new StageFailed(how, { command, stderr: '', cause }));
  }
  return { children, stop, stopped: stopping.signal };
}

function kill(child: ChildProcess, after: number): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), after);
  child.once('exit', () => clearTimeout(timer));
}

async function supervise(
  { children, stop, stopped }: Run,
  stages: readonly Stage[],
  { signal, input, stderrLimit = 16_384, mayStopReading = false }: PipelineOptions,
): Promise<readonly StageResult[]> {
  const onAbort = () => stop(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const faults: Ended[] = [];
  let enough = false;
  const watch = async (child: ChildProcess, stage: Stage, isLast: boolean) => {
    const ended = await watchProcess(child, stage, stderrLimit);
    if (ended.failure !== undefined && !stopped.aborted) faults.push(ended);
    enough ||=
      isLast &&
      ended.failure === undefined &&
      mayStopReading &&
      !stopped.aborted &&
      faults.every((fault) => fault.brokenPipe);
    if (enough) stop(enoughRead);
    else if (ended.failure !== undefined && !ended.brokenPipe) stop(ended.failure);
    return ended;
  };
  const watching = children.map((child, index) => {
    const stage = stages[index];
    if (stage === undefined) throw new Error('a process without a stage');
    return watch(child, stage, index === stages.length - 1);
  });
  const stdin = children[0]?.stdin;
  const feeding = input === undefined || !stdin ? Promise.resolve('read' as const) : feed(input, stdin, stopped, stop);
  try {
    const ended = await Promise.all(watching);
    // With all processes gone there is nobody to feed.
    if (!stopped.aborted) stop(allExited);
    const fed = await feeding;
    if (!enough) raise({ faults, reason: stopped.reason, refused: fed === 'refused' && !mayStopReading, ended });
    return ended.map(({ command, stderr }) => ({ command, stderr }));
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

const enoughRead = Symbol('the last stage has read enough');
const allExited = Symbol('every stage has exited');

/** The one error that tells why: a stage's own fault before those of its neighbours, which only lost their pipe. */
function raise(end: {
  readonly faults: readonly Ended[];
  readonly reason: unknown;
  readonly refused: boolean;
  readonly ended: readonly Ended[];
}): void {
  const fault = end.faults.find(({ brokenPipe }) => !brokenPipe) ?? end.faults[0];
  const stoppedByFault = end.reason instanceof StageFailed || end.reason === allExited;
  if (!stoppedByFault) throw end.reason;
  if (fault?.failure !== undefined) throw fault.failure;
  if (end.reason instanceof StageFailed) throw end.reason;
  if (!end.refused) return;
  const { command = 'the first stage', stderr = '' } = end.ended[0] ?? {};
  throw new StageFailed('exited with code 0 before it had read its whole input', { command, exitCode: 0, stderr });
}

/** Bytes that may wait for the first stage: small pieces, as a server sends them, then go to it many at a time. */
const inputAhead = 512 * 1024;

async function feed(
  input: AsyncIterable<Buffer>,
  stdin: Writable,
  stopped: AbortSignal,
  stop: (reason: unknown) => void,
): Promise<'read' | 'refused'> {
  const refusal = new AbortController();
  // EPIPE: the process has gone, or reads no more. Its exit code tells the rest.
  stdin.on('error', () => refusal.abort());
  stdin.on('close', () => refusal.abort());
  const ending = AbortSignal.any([stopped, refusal.signal]);
  try {
    for await (const chunk of interruptible(input, ending)) {
      stdin.write(chunk);
      if (stdin.writableLength >= inputAhead) await once(stdin, 'drain', { signal: ending });
    }
    await new Promise<void>((resolve) => stdin.end(resolve));
    return stdin.writableFinished ? 'read' : 'refused';
  } catch (error) {
    if (ending.aborted) return 'refused';
    stop(error);
    return 'refused';
  } finally {
    stdin.destroy();
  }
}

async function* readOutput(
  stdout: Readable | undefined,
  finished: Promise<unknown>,
  stop: (reason: unknown) => void,
): AsyncGenerator<Buffer, void, void> {
  let complete = false;
  try {
    try {
      if (stdout !== undefined) yield* stdout;
    } catch (error) {
      await finished;
      throw error;
    }
    await finished;
    complete = true;
  } finally {
    if (!complete) {
      stop(new Error('nobody reads the output of the pipeline any more'));
      await finished.catch(() => undefined);
    }
  }
}
