import { Failure, transient } from '../domain/failure.ts';
import type { ServerAccess } from './access.ts';
import { advice } from './advice.ts';
import { memoryLimit } from './memory-limit.ts';
import { recognize } from './recognize.ts';

/** Whom a message is about. */
export interface ServerContext {
  readonly access: Pick<ServerAccess, 'host' | 'port' | 'username' | 'secret'> & {
    readonly tls: { readonly mode: string };
  };
  readonly database: string;
}

/** An error of the `pg` package or of its socket, as a Failure that says what to do. A Failure stays what it is. */
export function failureOf(error: unknown, context: ServerContext): Failure {
  if (error instanceof Failure) return error;
  const said = wordsOf(error);
  const fault = recognize(codeOf(error), said);
  if (fault !== undefined) return advise(fault, said, context, error);
  return transient(
    'QueryFailed',
    `A query in database ${context.database} on ${place(context)} failed: ${said}.`,
    error,
  );
}

/** What a PostgreSQL tool said when it failed, as a Failure that says what to do. `how`: exited with code 1. */
export function failureOfTool(
  ended: { readonly tool: string; readonly how: string; readonly stderr: string; readonly cause?: unknown },
  context: ServerContext,
): Failure {
  const said = errorLines(ended.stderr);
  if (gaveNoReason.test(said)) return withoutMemory(ended, said, context);
  const fault = recognize(undefined, said);
  if (fault !== undefined) return advise(fault, said, context, ended.cause);
  const killed = /SIGKILL/.test(ended.how) || said.includes('worker process died unexpectedly');
  return transient(
    killed ? 'ToolKilled' : 'ToolFailed',
    killed
      ? `${ended.tool} of database ${context.database} was killed, most likely because the pod's memory limit${limit()} was reached. Raise jobTemplate.resources.limits.memory.${quoted(said)}`
      : `${ended.tool} of database ${context.database} on ${place(context)} ${ended.how}.${quoted(said)}`,
    ended.cause,
  );
}

/**
 * Every failed connection has a reason behind it, but for one: libpq got no memory to begin with (PostgreSQL, connectdb.c:
 * PQconnectdbParams() gave nothing). In a container that is at its limit, that comes before the kernel kills a process.
 */
const gaveNoReason = /: error: could not connect to database(?: "(?:[^"\n]|"")*")?\s*$/;

function withoutMemory(
  { tool, cause }: { readonly tool: string; readonly cause?: unknown },
  said: string,
  context: ServerContext,
): Failure {
  return transient(
    'OutOfMemory',
    `${tool} of database ${context.database} got no memory to connect to ${place(context)} with: most likely the pod is at its memory limit${limit()}. It is tried again; if it stays so, raise jobTemplate.resources.limits.memory.${quoted(said)}`,
    cause,
  );
}

function limit(): string {
  const said = memoryLimit();
  return said === undefined ? '' : ` of ${said}`;
}

/** The lines of standard error that tell why, at most a screenful: what a verbose tool says on its way is left out. */
export function errorLines(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const first = lines.findIndex(
    (line) => /\b(error|FATAL|ERROR|PANIC)\b:/.test(line) || /unrecognized|invalid option/.test(line),
  );
  return lines
    .slice(first === -1 ? -10 : first)
    .slice(0, 10)
    .join('\n')
    .slice(0, 1500)
    .trim();
}

function advise(fault: Parameters<typeof advice>[0], said: string, context: ServerContext, cause: unknown): Failure {
  const { retryable, text, reason } = advice(fault, said, context);
  return new Failure(reason, `${text}${quoted(said)}`, { retryable, cause });
}

function quoted(said: string): string {
  return said === '' ? '' : ` (It said: ${said.replaceAll(/\s*\n\s*/g, ' ')})`;
}

function place({ access }: ServerContext): string {
  return `${access.host}:${access.port}`;
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A socket that tried several addresses rejects with an AggregateError without a message. */
function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return [...new Set(error.errors.map((inner) => wordsOf(inner)))].join('; ');
  }
  if (!(error instanceof Error)) return String(error);
  const detail = 'detail' in error && typeof error.detail === 'string' ? `; ${error.detail}` : '';
  return `${error.message}${detail}`;
}
