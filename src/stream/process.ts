import type { ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Stage } from './pipeline.ts';
import { StageFailed } from './stage-failed.ts';

/** How a process ended. `failure` is undefined for exit code 0. */
export interface Ended {
  readonly command: string;
  readonly stderr: string;
  readonly failure: StageFailed | undefined;
  /**
   * Nobody read its output any more: mostly the consequence of another stage's end, not its cause. Processes are joined
   * by sockets, where that may also be called a reset connection.
   */
  readonly brokenPipe: boolean;
}

/** A grandchild may hold standard error open after the process has gone; what it says is not waited for. */
const stderrGrace = 1000;

/** Resolves when the process has ended, always; reads its standard error all along, and keeps the end of it. */
export async function watchProcess(child: ChildProcess, { command }: Stage, stderrLimit: number): Promise<Ended> {
  const name = basename(command);
  const tail = keepTail(child, stderrLimit);
  const outcome = await new Promise<{ code: number | null; signal: NodeJS.Signals | null } | { error: Error }>(
    (resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      // Also emitted where a kill fails; then the exit follows.
      child.on('error', (error) => {
        if (child.pid === undefined) resolve({ error });
      });
    },
  );
  if ('error' in outcome) {
    const failure = new StageFailed(`could not be started (${outcome.error.message})`, {
      command: name,
      stderr: '',
      cause: outcome.error,
    });
    return { command: name, stderr: '', failure, brokenPipe: false };
  }
  await Promise.race([tail.ended, delay(stderrGrace, undefined, { ref: false })]);
  const stderr = tail.read();
  const { code, signal } = outcome;
  if (code === 0) return { command: name, stderr, failure: undefined, brokenPipe: false };
  const failure = new StageFailed(code === null ? `was killed by ${signal}` : `exited with code ${code}`, {
    command: name,
    exitCode: code ?? undefined,
    signal: signal ?? undefined,
    stderr,
  });
  return {
    command: name,
    stderr,
    failure,
    brokenPipe:
      signal === 'SIGPIPE' ||
      code === 141 ||
      /broken pipe|connection reset/i.test(stderr) ||
      // It does not say what the system said, and writes into nothing but pipes here.
      (name === 'lz4' && /write error/i.test(stderr)),
  };
}

function keepTail(child: ChildProcess, limit: number): { readonly ended: Promise<void>; readonly read: () => string } {
  let kept = Buffer.alloc(0);
  let cut = false;
  const stream = child.stderr;
  if (stream === null) return { ended: Promise.resolve(), read: () => '' };
  stream.on('data', (chunk: Buffer) => {
    const joined = Buffer.concat([kept, chunk]);
    cut ||= joined.length > limit;
    kept = joined.length > limit ? Buffer.from(joined.subarray(joined.length - limit)) : joined;
  });
  const ended = new Promise<void>((resolve) => {
    stream.once('close', resolve);
  });
  return { ended, read: () => (cut ? `…${kept.toString('utf8')}` : kept.toString('utf8')) };
}
