import { Agent, type Dispatcher, request } from 'undici';
import { terminal } from '../domain/failure.ts';
import { type Attempt, createAttempts, type Timings, usualTimings } from './attempts.ts';
import { RcloneError, rcloneFailure } from './rclone-failure.ts';
import { type RcloneProcess, startRclone } from './rclone-process.ts';
import { type RcloneSections, whyRefused } from './rclone-refusals.ts';
import { renewing } from './secret-files.ts';

export interface RcloneSettings {
  /** name:path as rclone writes it. */
  readonly remote: string;
  /** Read again from time to time: a renewed Secret is used within a minute. */
  readonly config: () => Promise<{ readonly config: string; readonly knownHosts: string | undefined }>;
  /** For messages: `the Secret x`. */
  readonly configFrom: string;
  /** For tests: milliseconds. */
  readonly now?: () => number;
}

export interface RcloneCall {
  readonly operation: string;
  readonly key?: string | undefined;
  readonly signal: AbortSignal;
  readonly completing?: boolean;
}

export interface RcloneSend {
  /** One of rclone's remote commands, with its answer. */
  readonly command: (name: string, parameters: object) => Promise<unknown>;
  readonly raw: (path: string, options: Partial<Dispatcher.RequestOptions>) => Promise<Dispatcher.ResponseData>;
}

export interface RcloneConnection {
  readonly settings: RcloneSettings;
  readonly timings: Timings;
  /** For messages. */
  readonly nameOf: (key: string | undefined) => string;
  /** Runs one call, repeated where it fails and may pass; every error is a Failure. */
  readonly run: <T>(call: RcloneCall, work: (send: RcloneSend, attempt: Attempt) => Promise<T>) => Promise<T>;
  /** The same once: for what cannot be repeated. */
  readonly runOnce: <T>(call: RcloneCall, work: (send: RcloneSend, attempt: Attempt) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** rclone's own time-outs and tries come first; a large directory may take it a while. */
const rcloneTimings: Timings = { ...usualTimings, idle: 3 * 60_000 };

export function connectRclone(settings: RcloneSettings, timings: Timings = rcloneTimings): RcloneConnection {
  const { remote, configFrom } = settings;
  const dispatcher = new Agent({ connections: 16, headersTimeout: 0, bodyTimeout: 0 });
  const held = holdProcess(settings, dispatcher);
  const attempts = createAttempts(timings);
  const once = createAttempts(timings, 1);
  const nameOf = (key: string | undefined) => (key === undefined ? remote : `${remote.replace(/\/$/, '')}/${key}`);
  const running =
    (run: typeof attempts): RcloneConnection['run'] =>
    ({ operation, key, signal, completing }, work) => {
      const what = `${operation} ${nameOf(key)}`;
      return run(
        { what, signal, completing, explain: (error) => rcloneFailure(error, { what, remote, configFrom }) },
        async (attempt) => work(sender(await held.current(), dispatcher, attempt), attempt),
      );
    };
  return {
    settings,
    timings,
    nameOf,
    run: running(attempts),
    runOnce: running(once),
    async close() {
      await held.stop();
      await dispatcher.destroy();
    },
  };
}

/** One process, begun with the first call, begun again if it has died, told of a renewed configuration. */
function holdProcess(settings: RcloneSettings, dispatcher: Agent) {
  let process: RcloneProcess | undefined;
  const renewed = renewing(
    settings.config,
    async (read) => {
      if (process === undefined || process.hasEnded()) return read;
      await process.rewrite(read.config);
      await requireRemote(process, dispatcher, settings).catch(async (error: unknown) => {
        await process?.stop();
        throw error;
      });
      await callCommand(process, dispatcher, 'fscache/clear', {}, AbortSignal.timeout(10_000));
      return read;
    },
    settings,
  );
  let starting: Promise<RcloneProcess> | undefined;
  const start = async () => {
    const config = await renewed();
    await process?.stop();
    process = await startRclone(config);
    await requireRemote(process, dispatcher, settings).catch(async (error: unknown) => {
      await process?.stop();
      throw error;
    });
    return process;
  };
  return {
    async current(): Promise<RcloneProcess> {
      await renewed();
      if (process !== undefined && !process.hasEnded() && starting === undefined) return process;
      starting ??= start().finally(() => {
        starting = undefined;
      });
      return starting;
    },
    async stop() {
      await starting?.catch(() => undefined);
      await process?.stop();
      process = undefined;
    },
  };
}

/** Before anything is done with the configuration: what it must not ask for stands in rclone-refusals.ts. */
async function requireRemote(process: RcloneProcess, dispatcher: Agent, settings: RcloneSettings): Promise<void> {
  const [name = ''] = settings.remote.split(':', 1);
  const sections = await callCommand(process, dispatcher, 'config/dump', {}, AbortSignal.timeout(10_000));
  const why = whyRefused((sections ?? {}) as RcloneSections, name);
  if (why === undefined) return;
  throw terminal(
    'WrongConfiguration',
    `The remote ${name} in ${settings.configFrom} is refused, and nothing was done with it: ${why}. Use spec.volume for a volume; for all else name a remote that reaches its storage by itself.`,
  );
}

function sender(process: RcloneProcess, dispatcher: Agent, attempt: Attempt): RcloneSend {
  return {
    command: async (name, parameters) => {
      const answer = await callCommand(process, dispatcher, name, parameters, attempt.signal);
      attempt.alive();
      return answer;
    },
    async raw(path, options) {
      const answer = await request(new URL(path, process.url), {
        ...options,
        dispatcher,
        signal: attempt.signal,
        headers: { ...(options.headers as Record<string, string> | undefined), authorization: process.authorization },
      });
      attempt.alive();
      if (answer.statusCode < 300) return answer;
      throw await errorOf(answer);
    },
  };
}

async function callCommand(
  process: RcloneProcess,
  dispatcher: Agent,
  name: string,
  parameters: object,
  signal: AbortSignal,
): Promise<unknown> {
  const answer = await request(new URL(name, process.url), {
    dispatcher,
    method: 'POST',
    signal,
    headers: { authorization: process.authorization, 'content-type': 'application/json' },
    body: JSON.stringify(parameters),
  });
  if (answer.statusCode < 300) return answer.body.json();
  throw await errorOf(answer);
}

async function errorOf({ statusCode, body }: Dispatcher.ResponseData): Promise<RcloneError> {
  const text = await body.text();
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    return new RcloneError(statusCode, typeof error === 'string' ? error : `HTTP ${statusCode}`);
  } catch {
    return new RcloneError(statusCode, `HTTP ${statusCode}`);
  }
}
