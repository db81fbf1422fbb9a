import { type Dispatcher, WebSocket } from 'undici';
import { z } from 'zod';
import { resourcePath } from './paths.ts';
import { Tail } from './tail.ts';

export interface ExecRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** The program and its arguments. */
  readonly command: readonly string[];
}

export interface ExecEnd {
  /** undefined where the program was not begun, as `message` says. */
  readonly exitCode: number | undefined;
  readonly message: string;
  /** The last bytes of standard output and standard error, as they came. */
  readonly output: string;
}

/** How to speak to the API server: the same credentials and connections as for every other call. */
export interface ExecTransport {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
}

/** The connection ended before the command did: nobody knows what became of it. */
export class ExecLost extends Error {
  /** Whether the command may have been begun. */
  readonly opened: boolean;

  constructor(message: string, opened: boolean) {
    super(message);
    this.name = 'ExecLost';
    this.opened = opened;
  }
}

/** Every API server since 1.5 has it; the fifth only adds a way to end standard input, and none is sent. */
const protocol = 'v4.channel.k8s.io';
const channels = { output: 1, error: 2, status: 3 } as const;
const keptBytes = 4096;

/**
 * Runs a command in a container to its end. Rejects with ExecLost, or with the signal's reason: then the connection is
 * closed, and the command may go on in the container, which nobody can end from outside.
 */
export function exec(transport: ExecTransport, request: ExecRequest, signal: AbortSignal): Promise<ExecEnd> {
  signal.throwIfAborted();
  const socket = new WebSocket(`${transport.url.replace(/^http/, 'ws')}${execPath(request)}`, {
    protocols: [protocol],
    dispatcher: transport.dispatcher,
    headers: { ...transport.headers },
  });
  socket.binaryType = 'arraybuffer';
  const output = new Tail(keptBytes);
  const status = new Tail(64 * 1024);
  let opened = false;
  let failure: unknown;
  const { promise, resolve, reject } = Promise.withResolvers<ExecEnd>();
  socket.addEventListener('open', () => {
    opened = true;
  });
  socket.addEventListener('message', ({ data }: { readonly data: unknown }) => {
    if (!(data instanceof ArrayBuffer)) return;
    const channel = new Uint8Array(data)[0];
    const bytes = new Uint8Array(data, Math.min(1, data.byteLength));
    if (channel === channels.output || channel === channels.error) output.add(bytes);
    if (channel !== channels.status || bytes.length === 0) return;
    status.add(bytes);
    const end = endOf(status.text(), output.text());
    if (end === undefined) return;
    resolve(end);
    socket.close();
  });
  socket.addEventListener('error', (event: { readonly error?: unknown; readonly message?: string }) => {
    failure ??= event.error ?? event.message;
  });
  socket.addEventListener('close', ({ code, reason }: { readonly code: number; readonly reason: string }) => {
    const why = failure instanceof Error ? failure.message : (failure ?? (reason || `code ${code}`));
    reject(new ExecLost(`the connection to the API server ended before the command did (${why})`, opened));
  });
  const abort = () => {
    reject(signal.reason);
    socket.close();
  };
  signal.addEventListener('abort', abort, { once: true });
  return promise.finally(() => signal.removeEventListener('abort', abort));
}

export function execPath({ namespace, pod, container, command }: ExecRequest): string {
  const parameters = new URLSearchParams();
  for (const part of command) parameters.append('command', part);
  for (const [name, value] of Object.entries({
    container,
    stdout: 'true',
    stderr: 'true',
    stdin: 'false',
    tty: 'false',
  }))
    parameters.set(name, value);
  return `${resourcePath('Pod', { namespace, name: pod, subresource: 'exec' })}?${parameters}`;
}

/** The Status that ends a command; undefined as long as it is not whole, or where it is none. */
function endOf(text: string, output: string): ExecEnd | undefined {
  const said = read(text);
  if (said === undefined) return undefined;
  const { status, reason, message = '', details } = said;
  if (status === 'Success') return { exitCode: 0, message, output };
  const code = details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message ?? '';
  const exitCode = reason === 'NonZeroExitCode' && /^\d{1,9}$/.test(code) ? Number(code) : undefined;
  return { exitCode, message: message || `${status} ${reason ?? ''}`.trim(), output };
}

const cause = z.object({ reason: z.string().optional(), message: z.string().optional() });
const ended = z.object({
  status: z.string(),
  reason: z.string().optional(),
  message: z.string().optional(),
  details: z.object({ causes: z.array(cause).optional() }).nullish(),
});

function read(text: string): z.output<typeof ended> | undefined {
  try {
    return ended.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
