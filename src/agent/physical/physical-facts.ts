import type { BackupRunStatus } from '../../api/backup-run.ts';
import { backupPath } from '../../domain/layout.ts';
import {
  baseBytes,
  baseObjects,
  incrementFormat,
  manifestFormat,
  type PhysicalBackup,
  type PhysicalManifest,
  streamsFormat,
} from '../../domain/manifest.ts';
import type { ServerIdentity } from '../../postgres/choose-server.ts';
import { storedIn } from '../backup/commit-everywhere.ts';
import { type BackupInHand, manifestHead } from '../backup/manifest-head.ts';
import { alive, type Target } from '../backup/targets.ts';
import type { BackupPlan } from './plan-increment.ts';

export function buildPhysicalManifest(
  backup: BackupInHand & { readonly physical: PhysicalBackup; readonly plan: BackupPlan },
): PhysicalManifest {
  const { physical, plan } = backup;
  const { streams, backupManifest, fileList, wal, timeline } = physical;
  const head = manifestHead(backup);
  const own = [...baseObjects(physical), backupManifest, ...(fileList === undefined ? [] : [fileList]), ...wal];
  return {
    format: plan.type !== 'Full' ? incrementFormat : streams === undefined ? manifestFormat : streamsFormat,
    method: 'Physical',
    ...head,
    type: plan.type,
    ...(plan.type === 'Full' ? {} : { parentBackupID: plan.parent.backupID, parentChecksum: plan.parent.checksum }),
    server: { ...head.server, timeline },
    size: {
      source: baseBytes(physical),
      stored: own.reduce((sum, { size }) => sum + size, 0),
    },
    physical,
  };
}

/** What a BackupRun tells from the moment on that its place in the repositories is claimed. */
export function factsAtBegin(
  { version, systemIdentifier, timeline, role }: ServerIdentity,
  targets: readonly Target[],
  plan: BackupPlan,
): Partial<BackupRunStatus> {
  return {
    ...factsOfType(plan),
    backupID: targets[0]?.location.backupID ?? '',
    server: { version, systemIdentifier, timeline, role },
    repositories: targets.map(({ name, location }) => ({ name, state: 'Pending', path: backupPath(location) })),
  };
}

/** Each of them, so that a full backup in place of an increment that was begun leaves nothing of it. */
function factsOfType(plan: BackupPlan): Partial<BackupRunStatus> {
  if (plan.type !== 'Full') {
    const { type, parent, chain } = plan;
    return { type, parentBackupID: parent.backupID, chain, forcedFull: undefined };
  }
  const { type, forced } = plan;
  const because =
    forced === undefined ? undefined : { ...forced, message: [...forced.message].slice(0, 1024).join('') };
  return { type, parentBackupID: '', chain: undefined, forcedFull: because };
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

export function summarize(
  { backupID, physical, size }: PhysicalManifest,
  targets: readonly Target[],
  plan: BackupPlan,
): string {
  const { beginLSN, endLSN, endSegment, walMethod, packing } = physical;
  const wal = walMethod === 'Archive' ? `its WAL up to ${endSegment} is archived` : 'its WAL is part of it';
  const packedBy =
    packing?.by === 'Server'
      ? '; the server packed it'
      : packing?.because === undefined
        ? ''
        : `; the agent packed it, because ${packing.because}`;
  const where = alive(targets).map(({ name }) => name);
  return `${backupID}: ${beginLSN} to ${endLSN}, ${size.stored} bytes stored in ${where.join(', ')}; ${wal}${packedBy}.${aboutType(plan)}`;
}

function aboutType(plan: BackupPlan): string {
  if (plan.type !== 'Full')
    return ` It is the difference to ${plan.parent.backupID}, number ${plan.chain.length} of the chain that begins with ${plan.chain.fullBackupID}.`;
  return plan.forced === undefined
    ? ''
    : ` It is a full backup although an increment was asked for: ${plan.forced.message}`;
}
