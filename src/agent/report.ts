import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentReport, Progress } from '../api/report.ts';
import type { AgentLog } from './log.ts';

/**
 * What an agent tells of its work: facts, in the status of the object it works for. The API server may be away at any
 * time; that never fails a backup.
 */
export interface Reporter {
  /** Latest wins; written every few seconds; never rejects. */
  progress(progress: Progress): void;
  /** Merged into what this agent owns in the status, and written now (tried a few times; never rejects). */
  facts(status: Readonly<Record<string, unknown>>): Promise<void>;
  /** The last word: tried for up to a minute, and in any case put into the container's termination message. */
  finish(report: Pick<AgentReport, 'outcome' | 'reason' | 'message' | 'retryable'>): Promise<void>;
}

export interface ReporterOptions {
  /**
   * Applies the whole of what this agent owns in the status (server-side apply: what is not said any more goes). Called
   * once at a time.
   */
  readonly apply: (status: Readonly<Record<string, unknown>>, signal: AbortSignal) => Promise<void>;
  readonly log: Pick<AgentLog, 'warn'>;
  readonly pod: string | undefined;
  readonly startTime: Date;
  /** Told at the end in the termination message, which must stay small. */
  readonly keyFacts?: readonly string[];
  readonly terminationMessage?: string;
  readonly patience?: Patience;
}

/** Milliseconds. */
export interface Patience {
  /** Between two writes of progress. */
  readonly progress: number;
  /** For one write. */
  readonly write: number;
  /** Until facts are given up; they are in the next write anyway. */
  readonly facts: number;
  /** Until the last word is left to the termination message. */
  readonly finish: number;
  readonly firstRetry: number;
}

const usualPatience: Patience = { progress: 3000, write: 10_000, facts: 10_000, finish: 60_000, firstRetry: 500 };
/** Kubernetes keeps 4096 bytes. */
const messageLimit = 4096;
const reportMessageLimit = 4096;

export function createReporter(options: ReporterOptions): Reporter {
  const patience = options.patience ?? usualPatience;
  let status: Readonly<Record<string, unknown>> = { report: running(options) };
  let queue: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let lastWrite = Number.NEGATIVE_INFINITY;
  let finished = false;

  const write = async (forMilliseconds: number): Promise<boolean> => {
    const turn = queue.then(() => persist(() => status, options, patience, forMilliseconds));
    queue = turn;
    const written = await turn;
    lastWrite = performance.now();
    return written;
  };
  return {
    progress(progress) {
      if (finished) return;
      status = { ...status, progress };
      if (timer !== undefined) return;
      const wait = Math.max(0, lastWrite + patience.progress - performance.now());
      timer = setTimeout(() => {
        void write(0).finally(() => {
          timer = undefined;
        });
      }, wait);
      timer.unref();
    },
    async facts(more) {
      status = { ...status, ...more };
      await write(patience.facts);
    },
    async finish(said) {
      finished = true;
      clearTimeout(timer);
      status = {
        ...status,
        report: { ...running(options), ...bounded(said), completionTime: new Date().toISOString() },
      };
      await terminate(status, options);
      if (!(await write(patience.finish)))
        options.log.warn({ report: status.report }, 'the last report could not be written to the API server');
    },
  };
}

function running({ pod, startTime }: ReporterOptions): AgentReport {
  return {
    outcome: 'Running',
    reason: 'Running',
    message: '',
    ...(pod === undefined ? {} : { pod }),
    startTime: startTime.toISOString(),
  };
}

function bounded<Said extends { readonly message: string }>(said: Said): Said {
  return { ...said, message: [...said.message].slice(0, reportMessageLimit).join('') };
}

/** Writes the newest status; retries with growing pauses until the time is over. */
async function persist(
  current: () => Readonly<Record<string, unknown>>,
  { apply, log }: ReporterOptions,
  { write, firstRetry }: Patience,
  forMilliseconds: number,
): Promise<boolean> {
  const deadline = performance.now() + forMilliseconds;
  for (let pause = firstRetry; ; pause = Math.min(pause * 2, 10_000)) {
    try {
      await apply(current(), AbortSignal.timeout(write));
      return true;
    } catch (error) {
      log.warn({ err: error }, 'could not write the status');
    }
    if (performance.now() + pause > deadline) return false;
    await delay(pause);
  }
}

const typeFacts = ['type', 'parentBackupID', 'chain', 'forcedFull'];
const usualKeyFacts = ['backupID', ...typeFacts, 'checksum', 'repositories', 'size', 'globals', 'databases', 'hooks'];

/** Kubernetes shows it in the pod's status, where the operator finds it if the API server was away. */
async function terminate(status: Readonly<Record<string, unknown>>, options: ReporterOptions): Promise<void> {
  const { keyFacts = usualKeyFacts, terminationMessage = '/dev/termination-log' } = options;
  const facts = Object.fromEntries(keyFacts.flatMap((key) => (key in status ? [[key, status[key]]] : [])));
  const text = fitting({ report: status.report as AgentReport, ...facts });
  await writeFile(terminationMessage, text).catch((error: unknown) => {
    options.log.warn({ err: error }, 'could not write the termination message');
  });
}

interface LastWords {
  readonly report: AgentReport;
  readonly databases?: unknown;
  readonly [fact: string]: unknown;
}

/** So much of the message stays for the sake of no fact. */
const messageKept = 1500;

/**
 * JSON that is cut in its messages, not in its middle. The databases are all in it or none: a list that ends early would
 * say that the others are not in the backup.
 */
export function fitting(said: LastWords): string {
  const whole = JSON.stringify(said);
  if (fits(whole)) return whole;
  // Without what became of hooks, they are run again; without the rest, the backup is not found.
  if ('hooks' in said) {
    const { hooks: _, ...rest } = said;
    return fitting({ ...rest, report: said.report });
  }
  const { databases, ...others } = said;
  if (!Array.isArray(databases))
    return fittingMessage(others, 0) ?? fittingMessage({ report: others.report }, 0) ?? '{}';
  const brief = databases.map(({ name, bytes, storedBytes, state, message }) => ({
    ...{ name, bytes, storedBytes, state },
    ...(typeof message === 'string' ? { message: shortened(message, 60) } : {}),
  }));
  return fittingMessage({ ...others, databases: brief }, messageKept) ?? fitting(others);
}

/** Undefined where it does not fit though its message has no more than this left. */
function fittingMessage(said: LastWords, atLeast: number): string | undefined {
  const { message } = said.report;
  const cut = (length: number) =>
    JSON.stringify({ ...said, report: { ...said.report, message: shortened(message, length) } });
  const least = Math.min(atLeast, [...message].length);
  let length = [...message].length;
  while (length > least && !fits(cut(length))) length = Math.max(least, Math.floor(length * 0.8));
  return fits(cut(length)) ? cut(length) : undefined;
}

function shortened(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length).join('')}…`;
}

function fits(text: string): boolean {
  return Buffer.byteLength(text) <= messageLimit;
}
