import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { StageFailed } from '../../stream/stage-failed.ts';

export interface ToolRun {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
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
 * Runs one program to its end without a shell, whatever its exit code. Rejects with the signal's reason after the program
 * has gone (asked first, so that it can cancel its statements), and with StageFailed where it was killed or cannot start.
 */
export async function runTool({ command, args, env, signal, onLine }: ToolRun): Promise<ToolEnd> {
  signal.throwIfAborted();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
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
  const linesEnded = new Promise((resolve) => lines.once('close', resolve));
  try {
    const { code, killedBy } = await ended(child, command);
    await linesEnded;
    signal.throwIfAborted();
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
