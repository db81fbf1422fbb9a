import type { PhysicalBackup } from '../../domain/manifest.ts';
import { segmentNameAt, segmentNameBefore } from '../../domain/wal/file-name.ts';
import { formatLsn } from '../../domain/wal/lsn.ts';
import { readAccess } from '../../postgres/access.ts';
import { chooseServer } from '../../postgres/choose-server.ts';
import type { ActionOutcome } from '../action.ts';
import { factsAtFailure } from '../backup/backup-facts.ts';
import { requireStreamCompression } from '../backup/dump.ts';
import { type BackupContext, claim, commitEverywhere, sweep } from '../backup/run-backup.ts';
import {
  commonEncryption,
  openRepositories,
  type Repository,
  removeEverywhere,
  type Target,
} from '../backup/targets.ts';
import { archivesOf, awaitArchived, requireArchiving, segmentsBetween } from './await-archive.ts';
import { copyWithWal, type Work } from './copy-with-wal.ts';
import { IncrementRefused } from './increment-refused.ts';
import type { Packing } from './packing.ts';
import { buildPhysicalManifest, factsAtBegin, factsAtEnd, summarize } from './physical-facts.ts';
import { type BackupPlan, fullInstead, planIncrement } from './plan-increment.ts';
import { requireParents } from './require-parents.ts';
import { readServerSettings } from './server-facts.ts';
import { switchWal } from './switch-wal.ts';

/**
 * One base backup, from the server to a manifest in every repository. Whatever fails, nothing that looks like a backup is
 * left behind, and the failure is thrown.
 */
export async function runPhysicalBackup(context: BackupContext): Promise<ActionOutcome> {
  const { task, signal, folders } = context;
  const compression = requireStreamCompression(task.compression);
  const startTime = new Date();
  const access = await readAccess(task.server, task.namespace, folders?.access);
  const server = await chooseServer(task.server, access, signal);
  const settings = await readServerSettings(server.access, task.server.database, signal);
  const repositories = await openRepositories(task.repositories, folders?.mountRoot);
  const opened = { context, server, settings, compression, repositories, startTime };
  try {
    await sweep(context, repositories);
    const plan = await planIncrement(context, repositories, server, settings);
    try {
      return await backUp(opened, plan);
    } catch (error) {
      if (!(error instanceof IncrementRefused)) throw error;
      return await backUp(opened, fullInstead(context, error.forced));
    }
  } finally {
    await Promise.allSettled(repositories.map(({ store }) => store.close()));
  }
}

interface Opened extends Omit<Work, 'targets' | 'plan'> {
  readonly repositories: readonly Repository[];
}

/** What it is called is what it is: a full backup in place of an increment has an ID of its own. */
async function backUp({ repositories, ...opened }: Opened, plan: BackupPlan): Promise<ActionOutcome> {
  const { server, compression, startTime } = opened;
  const context = { ...opened.context, task: { ...opened.context.task, type: plan.type } };
  const { task, signal, reporter } = context;
  let targets: readonly Target[] = [];
  try {
    targets = await claim(context, repositories, server, startTime);
    await reporter.facts(factsAtBegin(server.facts, targets, plan));
    const physical = await makeBackup({ ...opened, context, targets, plan });
    const backup = buildPhysicalManifest({
      task,
      run: context.attempt.run,
      backupID: targets[0]?.location.backupID ?? '',
      startTime,
      completionTime: new Date(),
      server: server.facts,
      compression,
      encryption: commonEncryption(targets),
      physical,
      plan,
    });
    await requireParents(plan, targets, signal);
    const checksum = await commitEverywhere(targets, backup, signal);
    // Once more: whoever deletes looks for what stands on it, and may have looked before it was there.
    await requireParents(plan, targets, signal);
    await reporter.facts(factsAtEnd(backup, checksum, targets));
    const reason = physical.walMethod === 'Archive' ? 'EndWalArchived' : 'BackupStored';
    return { reason, message: summarize(backup, targets, plan) };
  } catch (error) {
    const notRemoved = await removeEverywhere(targets);
    if (targets.length > 0) await reporter.facts(factsAtFailure(targets, notRemoved));
    throw signal.aborted ? signal.reason : error;
  }
}

async function makeBackup(work: Work): Promise<PhysicalBackup> {
  const { context, server, settings, targets } = work;
  const { task, signal } = context;
  const { walMethod } = task.physical;
  const archives = archivesOf(targets);
  if (walMethod === 'Archive') await requireArchiving(archives, settings.all.archive_mode, signal);
  const { base, start, end, wal, packing } = await copyWithWal(work);
  const { segmentSize } = settings;
  const beginSegment = segmentNameAt(start.timeline, start.lsn, segmentSize);
  const endSegment = segmentNameBefore(end.timeline, end.lsn, segmentSize);
  const positions = { beginLSN: formatLsn(start.lsn), endLSN: formatLsn(end.lsn), beginSegment, endSegment };
  await context.reporter.facts({ wal: positions });
  if (walMethod === 'Archive') {
    if (server.facts.role === 'Standby') await switchWal(task.server, server.access, context.log, signal);
    await awaitArchived({
      segments: segmentsBetween(beginSegment, endSegment, segmentSize),
      archives,
      until: giveUpAt(work),
      signal,
      onWaiting: (missing) => context.reporter.progress({ step: `waiting for WAL ${missing} in the archive` }),
    });
  }
  return {
    chunks: [...base.chunks],
    ...(base.streams === undefined ? {} : { streams: [...base.streams] }),
    ...(base.fileList === undefined ? {} : { fileList: base.fileList }),
    packing: factOf(packing),
    tablespaces: [...base.tablespaces],
    backupManifest: base.backupManifest,
    walMethod,
    wal: [...wal],
    ...positions,
    timeline: end.timeline,
    segmentSize,
    dataDirectory: settings.all.data_directory ?? '',
    owner: base.owner,
    dataChecksums: settings.all.data_checksums === 'on',
    // One of them ends the backup (explain-failure.ts).
    checksumFailures: 0,
    settings: settings.all,
  };
}

function factOf(packing: Packing): PhysicalBackup['packing'] {
  const because = packing.by === 'Client' ? packing.because : undefined;
  return { by: packing.by, ...(because === undefined ? {} : { because }) };
}

/** Early enough for the Job to say so before its deadline ends it. */
function giveUpAt({ context, startTime }: Work): number {
  const deadline = startTime.getTime() + context.task.deadlineSeconds * 1000;
  const now = Date.now();
  return now + Math.max(0, deadline - now) * 0.9;
}
