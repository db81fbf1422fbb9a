import type { PhysicalManifest } from '../manifest.ts';
import type { TimelineFiles } from '../wal/contiguous.ts';
import { type Lsn, parseLsn } from '../wal/lsn.ts';
import type { Ancestor } from '../wal/timeline-history.ts';

/** What the planning of a recovery looks at, of one base backup. */
export interface CataloguedBackup {
  readonly backupID: string;
  /** Its folder under the repository's prefix. */
  readonly path: string;
  readonly timeline: number;
  readonly begin: Lsn;
  /** The first moment that it can become is here. */
  readonly end: Lsn;
  readonly time: Date;
  /** Bytes. */
  readonly segmentSize: number;
  /** It holds the WAL from its beginning to its end itself. */
  readonly ownWal: boolean;
}

/** All of one server's in one repository. */
export interface Catalogue {
  /** The newest first. */
  readonly backups: readonly CataloguedBackup[];
  /** What each timeline's folder of the archive holds. */
  readonly files: ReadonlyMap<number, TimelineFiles>;
  /** The ancestors of every timeline that has a history file, oldest first. */
  readonly histories: ReadonlyMap<number, readonly Ancestor[]>;
}

export function catalogued(manifest: PhysicalManifest, path: string): CataloguedBackup {
  const { backupID, completionTime, physical } = manifest;
  return {
    backupID,
    path,
    timeline: physical.timeline,
    begin: parseLsn(physical.beginLSN),
    end: parseLsn(physical.endLSN),
    time: new Date(completionTime),
    segmentSize: physical.segmentSize,
    ownWal: physical.walMethod !== 'Archive',
  };
}

export function newestFirst(backups: readonly CataloguedBackup[]): readonly CataloguedBackup[] {
  return backups.toSorted(
    (one, other) => other.time.getTime() - one.time.getTime() || other.backupID.localeCompare(one.backupID),
  );
}
