import { mkdir, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terminal } from '../../../domain/failure.ts';
import { type Tool, toolFor } from '../../../postgres/tools.ts';
import { runTool } from '../../restore/run-tool.ts';
import { checkFiles } from './check-files.ts';
import {
  type BaseBackup,
  type BasePlace,
  finishDirectory,
  type LayOptions,
  layFiles,
  linkTablespaces,
} from './lay-base.ts';
import { failureOf } from './unpack-chunk.ts';

export interface ChainOptions extends LayOptions {
  /** On the volume of the data directory; removed at the end. */
  readonly staging: string;
  /** Of the server: pg_combinebackup takes the backups of its own major alone. */
  readonly major: number;
  /** Everything has been laid. */
  readonly onCombining: () => void;
}

/** Since then files that are the same can be linked: the inputs are ours, and go away. */
const linksSince = 18;

/**
 * Lays a full backup and the increments on it, the full one first, each checked against its manifest and the server's list
 * of its files, before PostgreSQL's own pg_combinebackup makes one data directory of them: that looks at whether they
 * belong together, and not at what is in them.
 */
export async function layChain(members: readonly BaseBackup[], place: BasePlace, options: ChainOptions): Promise<void> {
  const { staging, major, signal, onCombining } = options;
  const [newest] = members.slice(-1);
  if (newest === undefined) throw new Error('a chain of no backups');
  const tool = await combiner(major);
  await mkdir(staging, { recursive: true, mode: 0o700 });
  const laid: string[] = [];
  for (const [index, member] of members.entries()) {
    const dataDirectory = join(staging, String(index));
    await mkdir(dataDirectory, { mode: 0o700 });
    const folder = join(staging, `${index}-tablespaces`);
    const list = await layFiles(member, { dataDirectory, tablespaces: { folder, served: folder } }, options);
    await writeFile(join(dataDirectory, 'backup_manifest'), list, { mode: 0o600 });
    laid.push(dataDirectory);
  }
  onCombining();
  const output = join(staging, 'combined');
  await combine(tool, laid, output, { place, newest, signal });
  for (const name of await readdir(output)) await rename(join(output, name), join(place.dataDirectory, name));
  await linkTablespaces(newest.manifest.physical.tablespaces, place);
  const list = await readFile(join(place.dataDirectory, 'backup_manifest'), 'utf8');
  await checkFiles(place.dataDirectory, list, newest.path);
  await options.onLaid?.(list);
  await finishDirectory(newest, place);
  await rm(staging, { recursive: true, force: true });
}

async function combiner(major: number): Promise<Tool> {
  const tool = await toolFor('pg_combinebackup', major);
  if (tool.major === major) return tool;
  throw terminal(
    'VersionMismatch',
    `The backups are of PostgreSQL ${major}, and this image holds pg_combinebackup of ${tool.major} only, which does not take them. Use Tidemark's own agent image, of a version that knows PostgreSQL ${major}.`,
  );
}

interface Combining {
  readonly place: BasePlace;
  readonly newest: BaseBackup;
  readonly signal: AbortSignal;
}

/** Durable it becomes when the server starts, as every base backup does (lay-base.ts). */
async function combine(
  tool: Tool,
  laid: readonly string[],
  output: string,
  { place, newest, signal }: Combining,
): Promise<void> {
  const how = tool.major >= linksSince ? ['--link'] : [];
  const mappings = await tablespaceMappings(laid.at(-1) ?? '', place, newest);
  const args = ['--no-sync', ...how, ...mappings, `--output=${output}`, '--', ...laid];
  const env = { LC_ALL: 'C' };
  try {
    const { code, stderr } = await runTool({ command: tool.path, args, env, signal });
    if (code !== 0) throw refusal(stderr.trim(), newest);
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(error, `the chain of ${newest.path}`, output);
  }
}

/** From where the newest backup has them to where they are to be. */
async function tablespaceMappings(
  newestLaid: string,
  { tablespaces }: BasePlace,
  { manifest }: BaseBackup,
): Promise<readonly string[]> {
  const { tablespaces: listed } = manifest.physical;
  if (listed.length > 0) await mkdir(tablespaces.folder, { recursive: true, mode: 0o700 });
  return Promise.all(
    listed.map(async ({ oid }) => {
      const from = await readlink(join(newestLaid, 'pg_tblspc', oid));
      return `--tablespace-mapping=${escaped(from)}=${escaped(join(tablespaces.folder, oid))}`;
    }),
  );
}

/** An equals sign in a path would end it. */
function escaped(path: string): string {
  return path.replaceAll('=', '\\=');
}

function refusal(said: string, { path }: BaseBackup) {
  if (/No space left on device|Disk quota exceeded/.test(said)) {
    return terminal(
      'DiskFull',
      `The volume ran full while the chain of ${path} was combined, which takes the room of all its backups and of the result. Give it more room: target.instance.storage.size, or the claim of the workload.`,
    );
  }
  return terminal(
    'ChainNotCombined',
    `pg_combinebackup does not make one data directory of the chain of ${path}: ${said.slice(-1500)} Recover from an earlier backup (recoveryTarget.backupID), best a full one, and WAL; and make a new full backup.`,
  );
}
