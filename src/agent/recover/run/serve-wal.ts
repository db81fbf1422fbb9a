import { watch } from 'node:fs';
import { access, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Failure, terminal, transient } from '../../../domain/failure.ts';
import { parseWalFileName } from '../../../domain/wal/file-name.ts';
import type { Lsn } from '../../../domain/wal/lsn.ts';
import { largestInMemory } from '../../../repository/large-wal.ts';
import type { AgentLog } from '../../log.ts';
import { createPrefetch, type Fetched, type Prefetch } from './prefetch.ts';
import { isRequired, positionOf, type WalRange } from './wal-range.ts';
import type { WalSource } from './wal-source.ts';
import { requireSegment, writeFetched } from './write-fetched.ts';

export interface ServeOptions {
  /** The folder that get-wal.sh lies in. */
  readonly folder: string;
  readonly source: WalSource;
  readonly range: WalRange;
  /** Where replay is going to stop: nothing beyond is fetched ahead. */
  readonly until: Lsn;
  readonly systemIdentifier: string;
  /** Segments that lie in the data directory itself: the server takes them where they are absent here. */
  readonly local: ReadonlySet<string>;
  /** Milliseconds for which a file is tried to be fetched. */
  readonly patience: number;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

export interface WalService {
  /** Every file that was asked for. */
  readonly asked: ReadonlySet<string>;
  /** Those of them that are not there, proven. */
  readonly absent: ReadonlySet<string>;
  /** Where replay reads. */
  readonly position: () => Lsn | undefined;
  /** Why a file could not be given; the server has ended then, or is about to. */
  readonly failure: () => Failure | undefined;
  readonly stop: () => Promise<void>;
}

const scanEvery = 250;
const firstPause = 100;
const longestPause = 10_000;

/**
 * Answers get-wal.sh: a file in want/ is a request, and is answered by a file of that name in have/, absent/ or error/.
 * Absent is said only where the store has said so twice, and the plan does not know the file to be there: PostgreSQL
 * takes it for the end of the archive.
 */
export async function serveWal(options: ServeOptions): Promise<WalService> {
  const { folder, signal } = options;
  const stopping = new AbortController();
  const linked = AbortSignal.any([signal, stopping.signal]);
  for (const name of ['want', 'have', 'absent', 'error']) {
    await rm(join(folder, name), { recursive: true, force: true });
    await mkdir(join(folder, name), { mode: 0o700 });
  }
  const state: State = {
    options: { ...options, signal: linked },
    asked: new Set(),
    absent: new Set(),
    answering: new Set(),
    busy: new Set(),
    failure: undefined,
    position: undefined,
    prefetch: createPrefetch({
      ...options,
      signal: linked,
      fetch: (name) => fetchFile({ ...options, signal: linked }, name),
      keep: (name, content) => keep(folder, name, content),
    }),
  };
  const scanner = createScanner(state);
  const watcher = watch(join(folder, 'want'), scanner.scan);
  watcher.on('error', () => undefined);
  const timer = setInterval(scanner.scan, scanEvery);
  return {
    asked: state.asked,
    absent: state.absent,
    position: () => state.position,
    failure: () => state.failure,
    async stop() {
      clearInterval(timer);
      watcher.close();
      stopping.abort(transient('Stopped', 'The server of the recovery has ended.'));
      await scanner.idle();
      await Promise.allSettled([...state.answering]);
      await state.prefetch.idle();
    },
  };
}

interface State {
  readonly options: ServeOptions;
  readonly asked: Set<string>;
  readonly absent: Set<string>;
  readonly answering: Set<Promise<void>>;
  /** Files that are being fetched for a request. */
  readonly busy: Set<string>;
  readonly prefetch: Prefetch;
  failure: Failure | undefined;
  position: Lsn | undefined;
}

/** Requests are taken one scan at a time; each is answered by itself. */
function createScanner(state: State): { readonly scan: () => void; readonly idle: () => Promise<void> } {
  let running: Promise<void> | undefined;
  let again = false;
  const scan = () => {
    again = true;
    running ??= (async () => {
      while (again) {
        again = false;
        await takeRequests(state);
      }
    })()
      .catch((error: unknown) => {
        if (!state.options.signal.aborted) state.options.log.warn({ err: error }, 'could not look for requests of WAL');
      })
      .finally(() => {
        running = undefined;
      });
  };
  return { scan, idle: async () => running };
}

async function takeRequests(state: State): Promise<void> {
  const { options, asked } = state;
  const folder = join(options.folder, 'want');
  for (const name of await readdir(folder)) {
    await rm(join(folder, name), { force: true });
    asked.add(name);
    const position = positionOf(name, options.range.segmentSize);
    if (position !== undefined) state.position = position;
    const answer = answerRequest(state, name).finally(() => state.answering.delete(answer));
    state.answering.add(answer);
  }
}

async function answerRequest(state: State, name: string): Promise<void> {
  const { options, prefetch, busy } = state;
  if (busy.has(name)) return;
  busy.add(name);
  try {
    prefetch.moveTo(name);
    const isHere = () => isThere(join(options.folder, 'have', name));
    if ((await prefetch.taken(name, isHere)) || (await isHere())) return;
    const content = await fetchPatiently(options, name);
    if (content === undefined) {
      state.absent.add(name);
      await answer(options.folder, 'absent', name, '');
    } else {
      await keep(options.folder, name, content);
    }
  } catch (error) {
    if (options.signal.aborted) return;
    state.failure ??= asFailure(error, name);
    options.log.error({ err: error, file: name }, 'a WAL file cannot be given to the server');
    await answer(options.folder, 'error', name, `${state.failure.message}\n`);
  } finally {
    busy.delete(name);
  }
}

/** undefined where the file is proven not to be there. Rejects after the patience is over. */
async function fetchPatiently(options: ServeOptions, name: string): Promise<Fetched | undefined> {
  const { patience, signal, range, local } = options;
  const deadline = performance.now() + patience;
  let misses = 0;
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    try {
      const content = await fetchFile(options, name);
      if (content !== undefined) return content;
      misses += 1;
      if (isRequired(name, range) && !local.has(name)) throw missing(name);
      if (misses === 2) return undefined;
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() + pause > deadline) throw error;
      options.log.warn({ err: error, file: name }, 'a WAL file could not be fetched; trying again');
    }
    await delay(pause, undefined, { signal });
  }
}

/** Checked: what the server would take for the end of the WAL must not reach it. */
async function fetchFile(options: ServeOptions, name: string): Promise<Fetched | undefined> {
  const { source, signal, systemIdentifier, range } = options;
  const isLarge = range.segmentSize > largestInMemory && parseWalFileName(name)?.kind === 'Segment';
  if (isLarge)
    return await source.readInto(
      name,
      (pieces) =>
        writeFetched({ folder: options.folder, systemIdentifier, segmentSize: range.segmentSize }, name, pieces),
      { signal },
    );
  const content = await source.get(name, { signal });
  if (content !== undefined && parseWalFileName(name)?.kind === 'Segment') {
    requireSegment(content, name, { systemIdentifier, segmentSize: range.segmentSize });
  }
  return content;
}

async function keep(folder: string, name: string, fetched: Fetched): Promise<void> {
  const unfinished = Buffer.isBuffer(fetched) ? join(folder, 'have', `.${name}`) : fetched.file;
  if (Buffer.isBuffer(fetched)) await writeFile(unfinished, fetched, { mode: 0o600 });
  await rename(unfinished, join(folder, 'have', name));
}

async function answer(folder: string, kind: 'absent' | 'error', name: string, text: string): Promise<void> {
  const unfinished = join(folder, kind, `.${name}`);
  await writeFile(unfinished, text, { mode: 0o600 });
  await rename(unfinished, join(folder, kind, name));
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function missing(name: string): Failure {
  return terminal(
    'WalMissing',
    `${name} is not in the archive, and was there when the recovery was planned: something deletes WAL that is needed, or the store loses it.`,
  );
}

function asFailure(error: unknown, name: string): Failure {
  const said = error instanceof Error ? error.message : String(error);
  const message = `Replay cannot go on without the WAL file ${name}: ${said}`;
  if (error instanceof Failure) return new Failure(error.reason, message, { retryable: error.retryable, cause: error });
  return transient('StoreError', message, error);
}
