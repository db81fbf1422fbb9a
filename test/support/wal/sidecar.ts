import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import type { DispatchTimings } from '../../../src/agent/archive/dispatch.ts';
import { runArchive } from '../../../src/agent/archive/run-archive.ts';
import type { AgentLog } from '../../../src/agent/log.ts';
import type { Reporter } from '../../../src/agent/report.ts';
import { transient } from '../../../src/domain/failure.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import type { ArchiveTask, RepositoryTask } from '../../../src/domain/task.ts';
import { task as taskSchema } from '../../../src/domain/task.ts';

export interface Sidecar {
  /** What the log was told: level, bindings, message. */
  readonly said: readonly { readonly level: string; readonly reason: unknown; readonly message: string }[];
  readonly stop: () => Promise<void>;
}

/** The pod's folders, as both containers have them. */
export interface Setting {
  readonly root: string;
  readonly spool: string;
  readonly command: string;
  readonly volume: string;
  readonly remove: () => Promise<void>;
}

export async function makeSetting(): Promise<Setting> {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-archive-'));
  await chmod(root, 0o755);
  const spool = root + mounts.walSpool;
  await mkdir(spool, { recursive: true });
  await chmod(spool, 0o777);
  for (const index of [0, 1]) await mkdir(root + mounts.repository.volume(index), { recursive: true });
  return {
    root,
    spool,
    command: `sh ${spool}/archive.sh "%p" "%f"`,
    volume: join(root + mounts.repository.volume(0), 'backups'),
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

export const volumeRepository: RepositoryTask = {
  name: 'volume',
  spec: repositorySpec({ volume: { claimName: 'claim', path: 'backups' } }),
};

export function s3Repository(s3: { readonly endpoint: string }, bucket: string): RepositoryTask {
  const { endpoint } = s3;
  const store = { bucket, prefix: 'p', region: 'us-east-1', endpoint, credentialsSecretRef: { name: 'store' } };
  return { name: 's3', spec: repositorySpec({ s3: store }) };
}

function repositorySpec(place: object): RepositoryTask['spec'] {
  return archiveTaskWith({ repositories: [{ name: 'any', spec: place }] }).repositories[0]
    ?.spec as RepositoryTask['spec'];
}

export function archiveTask(given: Partial<ArchiveTask> = {}): ArchiveTask {
  return archiveTaskWith({ repositories: [volumeRepository], ...given });
}

function archiveTaskWith(given: object): ArchiveTask {
  const whole = {
    action: 'archive',
    namespace: 'shop',
    policy: { name: 'orders', uid: 'u' },
    maxParallel: 8,
    compression: { algorithm: 'zstd', level: 1 },
    ...given,
  };
  return taskSchema.parse(whole) as ArchiveTask;
}

export function startSidecar(
  { root }: Pick<Setting, 'root'>,
  task: ArchiveTask = archiveTask(),
  timings?: DispatchTimings,
): Sidecar {
  const said: { level: string; reason: unknown; message: string }[] = [];
  const say = (level: string) => (bindings: { reason?: unknown }, message: string) =>
    void said.push({ level, reason: bindings.reason, message });
  const log = { info: say('info'), warn: say('warn'), error: say('error') } as unknown as AgentLog;
  const stopping = new AbortController();
  const ended = runArchive({
    task,
    log,
    reporter: undefined as unknown as Reporter,
    signal: stopping.signal,
    folders: { mountRoot: root },
    ...(timings === undefined ? {} : { timings }),
  });
  ended.catch(() => undefined);
  return {
    said,
    stop: async () => {
      stopping.abort(transient('Cancelled', 'told to stop'));
      await ended;
    },
  };
}

/** Brings a file as the script does: it is there whole or not at all. */
export async function bring({ spool }: Pick<Setting, 'spool'>, name: string, content: Buffer | string): Promise<void> {
  await mkdir(join(spool, 'incoming'), { recursive: true });
  await rm(join(spool, 'failed', name), { force: true });
  const temporary = join(spool, 'incoming', `.${name}.1.tmp`);
  await writeFile(temporary, content);
  await rename(temporary, join(spool, 'incoming', name));
}

/** Every archived file of every server under a volume repository, unpacked, by its path from the repository on. */
export async function archivedFiles(volume: string): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const entries = await readdir(volume, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile() || entry.name.startsWith('.') || !entry.parentPath.includes('/wal/')) continue;
    const content = await readFile(join(entry.parentPath, entry.name));
    const packed = entry.name.endsWith('.zst');
    found.set(entry.name.replace(/\.zst$/, ''), packed ? zstdDecompressSync(content) : content);
  }
  return found;
}

export async function until(what: string, condition: () => Promise<boolean>, seconds = 120): Promise<void> {
  for (const begun = Date.now(); !(await condition()); await delay(50))
    if (Date.now() - begun > seconds * 1000) throw new Error(`not within ${seconds} s: ${what}`);
}

export async function exists(path: string): Promise<boolean> {
  return readdir(dirname(path)).then(
    (names) => names.includes(path.slice(dirname(path).length + 1)),
    () => false,
  );
}
