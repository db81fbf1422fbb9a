import type { Failure } from '../../domain/failure.ts';
import type { PhysicalBackup, PhysicalManifest } from '../../domain/manifest.ts';
import { segmentNameAt, segmentNameBefore } from '../../domain/wal/file-name.ts';
import { formatLsn } from '../../domain/wal/lsn.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import type { ActionOutcome } from '../action.ts';
import { factsAtFailure } from '../backup/backup-facts.ts';
import { commitEverywhere, failureOfSome } from '../backup/commit-everywhere.ts';
import { onChosenServer } from '../backup/on-chosen-server.ts';
import { type BackupContext, claim, sweep } from '../backup/run-backup.ts';
import {
  alive,
  dropTarget,
  openRepositories,
  type Repository,
  removeDropped,
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
  return onChosenServer(context, backUpServer);
}

async function backUpServer(context: BackupContext, server: ChosenServer): Promise<ActionOutcome> {
  const { task, signal, folders } = context;
  const { compression } = task;
  const startTime = new Date();
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
  let lacking: Failure | undefined;
  let ended: ActionOutcome;
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
      encryption: alive(targets)[0]?.encryption,
      physical,
      plan,
    });
    await requireParents(plan, targets, signal);
    const checksum = await commitEverywhere(targets, (name) => standingOn(backup, plan, name), signal);
    // Once more: whoever deletes looks for what stands on it, and may have looked before it was there.
    await requireParents(plan, targets, signal);
    const notRemoved = await removeDropped(targets);
    await reporter.facts(factsAtEnd(backup, checksum, targets, notRemoved));
    const reason = physical.walMethod === 'Archive' ? 'EndWalArchived' : 'BackupStored';
    ended = { reason, message: summarize(backup, targets, plan) };
    lacking = failureOfSome(targets, ended.message);
  } catch (error) {
    const notRemoved = await removeEverywhere(targets);
    if (targets.length > 0) await reporter.facts(factsAtFailure(targets, notRemoved));
    throw signal.aborted ? signal.reason : error;
  }
  if (lacking !== undefined) throw lacking;
  return ended;
}

/** The same parent may have another digest in each repository, where they are encrypted for different people. */
function standingOn(backup: PhysicalManifest, plan: BackupPlan, repository: string): PhysicalManifest {
  if (plan.type === 'Full') return backup;
  const parentChecksum = plan.digests.get(repository)?.get(plan.parent.backupID);
  return parentChecksum === undefined ? backup : { ...backup, parentChecksum };
}

async function makeBackup(work: Work): Promise<PhysicalBackup> {
  const { context, server, settings, targets } = work;
  const { task, signal } = context;
  const { walMethod } = task.physical;
  if (walMethod === 'Archive') {
    await inEach(targets, signal, (archives) => requireArchiving(archives, settings.all.archive_mode, signal));
  }
  const { base, start, end, wal, packing } = await copyWithWal(work);
  const { segmentSize } = settings;
  const beginSegment = segmentNameAt(start.timeline, start.lsn, segmentSize);
  const endSegment = segmentNameBefore(end.timeline, end.lsn, segmentSize);
  const positions = { beginLSN: formatLsn(start.lsn), endLSN: formatLsn(end.lsn), beginSegment, endSegment };
  await context.reporter.facts({ wal: positions });
  if (walMethod === 'Archive') {
    if (server.facts.role === 'Standby') await switchWal(task.server, server.access, context.log, signal);
    const until = giveUpAt(work);
    await inEach(targets, signal, (archives) =>
      awaitArchived({
        segments: segmentsBetween(beginSegment, endSegment, segmentSize),
        archives,
        until,
        signal,
        onWaiting: (missing) => context.reporter.progress({ step: `waiting for WAL ${missing} in the archive` }),
      }),
    );
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

/** A base backup is worth nothing in a repository without its WAL: one where that fails is dropped. */
async function inEach(
  targets: readonly Target[],
  signal: AbortSignal,
  act: (archives: ReturnType<typeof archivesOf>) => Promise<void>,
): Promise<void> {
  await Promise.all(
    alive(targets).map((target) =>
      act(archivesOf([target])).catch((error: unknown) => dropTarget(targets, target, error, signal)),
    ),
  );
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
