import { Failure } from '../../../domain/failure.ts';
import { backupPath, backupsPath, type WalLocation } from '../../../domain/layout.ts';
import type { PhysicalManifest } from '../../../domain/manifest.ts';
import { type Catalogue, type CataloguedBackup, catalogued, newestFirst } from '../../../domain/recovery/catalogue.ts';
import { readTimelineFiles, type TimelineFiles } from '../../../domain/wal/contiguous.ts';
import { readManifest } from '../../../repository/backups.ts';
import type { Identity } from '../../../repository/identity.ts';
import type { Store } from '../../../repository/store.ts';
import { openWalArchive, type WalArchive } from '../../../repository/wal-archive.ts';
import { inParallel } from '../../in-parallel.ts';
import type { AgentLog } from '../../log.ts';

/** One server's backups and WAL, as the repository has them now. */
export interface ReadCatalogue extends Catalogue {
  readonly location: WalLocation;
  readonly archive: WalArchive;
  /** For what is encrypted. */
  readonly identity: Identity;
  readonly manifests: ReadonlyMap<CataloguedBackup, PhysicalManifest>;
}

const width = 8;

export async function readCatalogue(
  store: Store,
  location: WalLocation,
  { log, signal, identity }: { readonly log: AgentLog; readonly signal: AbortSignal; readonly identity: Identity },
): Promise<ReadCatalogue> {
  const manifests = await readBackups(store, location, log, signal);
  const backups = newestFirst([...manifests.keys()]);
  const archive = openWalArchive(store, location, { identity });
  const segmentSize = backups[0]?.segmentSize;
  const files = segmentSize === undefined ? new Map() : await listWal(archive, segmentSize, signal);
  return { location, archive, identity, manifests, backups, files, histories: await archive.histories({ signal }) };
}

/** Every complete physical backup. One that cannot be read is no reason not to use another. */
export async function readBackups(
  store: Store,
  location: WalLocation,
  log: AgentLog,
  signal: AbortSignal,
): Promise<ReadonlyMap<CataloguedBackup, PhysicalManifest>> {
  const paths: string[] = [];
  for await (const backupID of store.listFolders(`${backupsPath(location)}/`, { signal })) {
    // What backupIDFor() calls logical needs no reading.
    if (!/-logical(-\d+)?$/.test(backupID)) paths.push(backupPath({ ...location, backupID }));
  }
  const read = await inParallel(paths, width, async (path) => {
    try {
      const { manifest } = await readManifest(store, path, { signal });
      return manifest.method === 'Physical' ? ([[catalogued(manifest, path), manifest]] as const) : [];
    } catch (error) {
      if (!(error instanceof Failure) || error.retryable) throw error;
      log.warn({ path, reason: error.reason }, error.message);
      return [];
    }
  });
  return new Map(read.flat());
}

async function listWal(
  archive: WalArchive,
  segmentSize: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, TimelineFiles>> {
  const timelines = await archive.timelines({ signal });
  const listed = await inParallel(timelines, width, async (timeline) => {
    const files = await readTimelineFiles(archive.list(timeline, { signal }), segmentSize);
    return [timeline, files] as const;
  });
  return new Map(listed);
}
