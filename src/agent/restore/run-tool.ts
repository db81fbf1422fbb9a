import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';
import { StageFailed } from '../../stream/stage-failed.ts';

export interface ToolRun {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /**
   * Its standard input, which it need not read to the end. The next piece is asked for when the program has the one
   * before, whose memory is not read any more then.
   */
  readonly input?: AsyncIterable<Buffer> | undefined;
  /** Each line of standard error when it is written. */
  readonly onLine?: (line: string) => void;
}

export interface ToolEnd {
  readonly stdout: string;
  /** The end of it. */
  readonly stderr: string;
  readonly code: number;
}

const stdoutLimit = 1024 ** 2;
const stderrLimit = 16_384;
const killAfter = 5000;

/**
 * Runs one program to its end without a shell, whatever its exit code. Rejects with the signal's reason after the
 * program has gone (asked first, so that it can cancel its statements), and with StageFailed where it was killed or
 * cannot start.
 */
export async function runTool({ command, args, env, signal, input, onLine }: ToolRun): Promise<ToolEnd> {
  signal.throwIfAborted();
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    killer = setTimeout(() => child.kill('SIGKILL'), killAfter);
  };
  signal.addEventListener('abort', stop, { once: true });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(0, stdoutLimit);
  });
  const lines = createInterface({ input: child.stderr, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', (line) => {
    stderr = `${stderr}${line}\n`.slice(-stderrLimit);
    onLine?.(line);
  });
  const feeding = feed(child, input);
  const linesEnded = new Promise((resolve) => lines.once('close', resolve));
  try {
    const { code, killedBy } = await ended(child, command);
    await linesEnded;
    const unreadable = await feeding;
    signal.throwIfAborted();
    if (unreadable !== undefined) throw unreadable;
    if (code !== null) return { stdout, stderr, code };
    throw new StageFailed(`was killed by ${killedBy}`, {
      command: basename(command),
      signal: killedBy ?? undefined,
      stderr,
    });
  } finally {
    clearTimeout(killer);
    signal.removeEventListener('abort', stop);
  }
}

/** Gives what went wrong with the input itself; what the program does not want any more is no fault. */
async function feed(child: ChildProcessWithoutNullStreams, input: AsyncIterable<Buffer> = none()): Promise<unknown> {
  const { stdin } = child;
  // Each write tells of it, too.
  stdin.on('error', () => undefined);
  try {
    for await (const bytes of input) if (!(await isTaken(stdin, bytes))) return undefined;
    await new Promise<void>((resolve) => stdin.end(resolve));
    return undefined;
  } catch (fault) {
    // Before it sees an end of its input, which it could take for that of the whole.
    child.kill('SIGTERM');
    return fault;
  } finally {
    stdin.destroy();
  }
}

function isTaken(stdin: Writable, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve) => stdin.write(bytes, (error) => resolve(!error)));
}

async function* none(): AsyncGenerator<Buffer> {}

function ended(child: ReturnType<typeof spawn>, command: string) {
  return new Promise<{ code: number | null; killedBy: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('close', (code, killedBy) => resolve({ code, killedBy }));
    child.once('error', (cause) =>
      reject(
        new StageFailed(`could not be started (${cause.message})`, { command: basename(command), stderr: '', cause }),
      ),
    );
  });
}
