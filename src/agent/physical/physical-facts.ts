import type { BackupRunStatus } from '../../api/backup-run.ts';
import { backupPath } from '../../domain/layout.ts';
import {
  baseBytes,
  baseObjects,
  manifestFormat,
  type PhysicalBackup,
  type PhysicalManifest,
  streamsFormat,
} from '../../domain/manifest.ts';
import type { ServerIdentity } from '../../postgres/choose-server.ts';
import { storedIn } from '../backup/commit-everywhere.ts';
import { type BackupInHand, manifestHead } from '../backup/manifest-head.ts';
import { alive, type Target } from '../backup/targets.ts';

export function buildPhysicalManifest(backup: BackupInHand & { readonly physical: PhysicalBackup }): PhysicalManifest {
  const { physical } = backup;
  const { streams, backupManifest, wal, timeline } = physical;
  const head = manifestHead(backup);
  return {
    format: streams === undefined ? manifestFormat : streamsFormat,
    method: 'Physical',
    ...head,
    server: { ...head.server, timeline },
    size: {
      source: baseBytes(physical),
      stored: [...baseObjects(physical), backupManifest, ...wal].reduce((sum, { size }) => sum + size, 0),
    },
    physical,
  };
}

/** What a BackupRun tells from the moment on that its place in the repositories is claimed. */
export function factsAtBegin(
  { version, systemIdentifier, timeline, role }: ServerIdentity,
  targets: readonly Target[],
): Partial<BackupRunStatus> {
  return {
    backupID: targets[0]?.location.backupID ?? '',
    server: { version, systemIdentifier, timeline, role },
    repositories: targets.map(({ name, location }) => ({ name, state: 'Pending', path: backupPath(location) })),
  };
}

/** What it tells when the manifest is in every repository; `checksum` is the manifest's. */
export function factsAtEnd(
  backup: PhysicalManifest,
  checksum: string,
  targets: readonly Target[],
  notRemoved: readonly string[],
): Partial<BackupRunStatus> {
  const { source, stored } = backup.size;
  const { beginLSN, endLSN, beginSegment, endSegment } = backup.physical;
  const seconds = Math.max(1, (Date.parse(backup.completionTime) - Date.parse(backup.startTime)) / 1000);
  return {
    checksum,
    size: {
      source: String(source),
      stored: String(stored),
      ...(stored === 0 ? {} : { compressionRatio: (source / stored).toFixed(2) }),
    },
    wal: { beginLSN, endLSN, beginSegment, endSegment },
    repositories: storedIn(targets, notRemoved, undefined),
    progress: {
      step: 'stored',
      bytesDone: String(source),
      bytesTotal: String(source),
      percent: 100,
      bytesPerSecond: String(Math.round(source / seconds)),
    },
  };
}

export function summarize({ backupID, physical, size }: PhysicalManifest, targets: readonly Target[]): string {
  const { beginLSN, endLSN, endSegment, walMethod, packing } = physical;
  const wal = walMethod === 'Archive' ? `its WAL up to ${endSegment} is archived` : 'its WAL is part of it';
  const packedBy =
    packing?.by === 'Server'
      ? '; the server packed it'
      : packing?.because === undefined
        ? ''
        : `; the agent packed it, because ${packing.because}`;
  return `${backupID}: ${beginLSN} to ${endLSN}, ${size.stored} bytes stored in ${alive(targets)
    .map(({ name }) => name)
    .join(', ')}; ${wal}${packedBy}.`;
}
