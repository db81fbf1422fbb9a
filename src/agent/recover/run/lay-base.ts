import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { Chunk, PhysicalManifest } from '../../../domain/manifest.ts';
import { orFromAnother } from '../../../repository/mirrored-store.ts';
import type { Store } from '../../../repository/store.ts';
import { workThrough } from '../../work-through.ts';
import { checkFiles } from './check-files.ts';
import { fetchPatiently } from './fetch-patiently.ts';
import { layStreams } from './lay-stream.ts';
import type { Tablespaces } from './prepare-place.ts';
import { fetchWhole, unpackChunk } from './unpack-chunk.ts';

export interface BaseBackup {
  readonly store: Store;
  /** Of the backup, in the repository. */
  readonly path: string;
  readonly manifest: PhysicalManifest;
  /** Where the backup is encrypted: it has been shown to fit. */
  readonly identityFile?: string | undefined;
}

export interface BasePlace {
  /** Empty. */
  readonly dataDirectory: string;
  /** For tablespaces: what the backup says of their places does not hold here. */
  readonly tablespaces: Tablespaces;
}

export interface LayOptions {
  readonly signal: AbortSignal;
  /** Told of stored bytes that have come; negative where they are fetched once more. */
  readonly onBytes: (bytes: number) => void;
  /** Called with the server's list of files while all is as the backup has it. */
  readonly onLaid?: (listOfFiles: string) => Promise<void>;
  /** Milliseconds before a chunk is fetched again. */
  readonly pause?: number;
}

/**
 * Lays a base backup, checked against its manifest and the server's own list of files. Durable it becomes when the server
 * starts: before it replays, PostgreSQL syncs the whole data directory, because the control file in a base backup is never
 * that of a server that was shut down (xlog.c, SyncDataDirectory), as long as fsync is on (server-arguments.ts).
 */
export async function layBase(base: BaseBackup, place: BasePlace, options: LayOptions): Promise<void> {
  // Apart: an argument of an optional call is not evaluated where there is none to call.
  const list = await layFiles(base, place, options);
  await options.onLaid?.(list);
  await finishDirectory(base, place);
}

/** The files of one backup, checked, as the server had them. Gives the server's list of them. */
export async function layFiles(base: BaseBackup, place: BasePlace, options: LayOptions): Promise<string> {
  const { physical } = base.manifest;
  for (const { oid } of physical.tablespaces) {
    await mkdir(join(place.tablespaces.folder, oid), { recursive: true, mode: 0o700 });
  }
  await unpackAll(base, place, options);
  await layStreams(base, physical.streams ?? [], (stream) => folderOf(stream, place), options);
  await linkTablespaces(physical.tablespaces, place);
  const list = await listOfFiles(base, options.signal);
  await checkFiles(place.dataDirectory, list, base.path);
  return list;
}

/** Makes of those files a data directory that a server may recover. */
export async function finishDirectory({ manifest }: Pick<BaseBackup, 'manifest'>, place: BasePlace): Promise<void> {
  await rewriteTablespaceMap(manifest.physical.tablespaces, place);
  // The list describes the backup, not the server that is made of it; a later backup would take it along.
  await rm(join(place.dataDirectory, 'backup_manifest'), { force: true });
  await rm(join(place.dataDirectory, 'postmaster.pid'), { force: true });
  await rm(join(place.dataDirectory, 'postmaster.opts'), { force: true });
  for (const signal of ['recovery.signal', 'standby.signal'])
    await rm(join(place.dataDirectory, signal), { force: true });
}

async function unpackAll(base: BaseBackup, place: BasePlace, options: LayOptions): Promise<void> {
  // The largest first, so that no long one is left for the end.
  const chunks = [...base.manifest.physical.chunks].sort((one, other) => other.size - one.size);
  const how = { beside: Math.max(2, availableParallelism()), signal: options.signal };
  await workThrough(chunks, how, (chunk, signal) =>
    // tar writes its files anew.
    fetchPatiently(base, chunk, { ...options, signal }, (fetching) =>
      unpackChunk(base, chunk, folderOf(chunk, place), fetching),
    ),
  );
}

function folderOf({ tablespace }: Pick<Chunk, 'tablespace'>, { dataDirectory, tablespaces }: BasePlace): string {
  return tablespace === undefined ? dataDirectory : join(tablespaces.folder, tablespace);
}

async function listOfFiles(base: BaseBackup, signal: AbortSignal): Promise<string> {
  const { backupManifest } = base.manifest.physical;
  const key = `${base.path}/${backupManifest.path}`;
  return (await orFromAnother(base.store, key, () => fetchWhole(base, backupManifest, signal))).toString('utf8');
}

export async function linkTablespaces(
  tablespaces: PhysicalManifest['physical']['tablespaces'],
  place: BasePlace,
): Promise<void> {
  if (tablespaces.length === 0) return;
  await mkdir(join(place.dataDirectory, 'pg_tblspc'), { recursive: true, mode: 0o700 });
  for (const { oid } of tablespaces) {
    const link = join(place.dataDirectory, 'pg_tblspc', oid);
    await rm(link, { recursive: true, force: true });
    await symlink(join(place.tablespaces.served, oid), link);
  }
  await bridge(place.tablespaces);
}

/** The server that replays here has the volume elsewhere than the one that serves: the links hold for both. */
async function bridge({ folder, served }: Tablespaces): Promise<void> {
  if (served === folder) return;
  await rm(served, { force: true });
  await symlink(relative(dirname(served), folder), served);
}

/** The server makes the links anew from this file before it replays (PostgreSQL, "Backing Up the Data Directory"). */
async function rewriteTablespaceMap(
  tablespaces: PhysicalManifest['physical']['tablespaces'],
  place: BasePlace,
): Promise<void> {
  const path = join(place.dataDirectory, 'tablespace_map');
  const there = await readFile(path).catch(() => undefined);
  if (there === undefined && tablespaces.length === 0) return;
  if (tablespaces.length === 0) {
    await rm(path, { force: true });
    return;
  }
  const lines = tablespaces.map(
    ({ oid }) => `${oid} ${join(place.tablespaces.served, oid).replaceAll('\\', '\\\\')}\n`,
  );
  await writeFile(path, lines.join(''), { mode: 0o600 });
}
