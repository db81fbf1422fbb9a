import { terminal, transient } from '../../domain/failure.ts';
import type { PhysicalBackup, StoredObject } from '../../domain/manifest.ts';
import { segmentNameAt, segmentNameBefore } from '../../domain/wal/file-name.ts';
import { formatLsn } from '../../domain/wal/lsn.ts';
import { readAccess } from '../../postgres/access.ts';
import { type ChosenServer, chooseServer } from '../../postgres/choose-server.ts';
import { copyServer, type Position } from '../../postgres/replication/base-backup.ts';
import { openReplication } from '../../postgres/replication/connection.ts';
import type { ActionOutcome } from '../action.ts';
import { factsAtFailure } from '../backup/backup-facts.ts';
import { isStreamCompression, type StreamCompression } from '../backup/dump.ts';
import { createMeter, type Meter } from '../backup/meter.ts';
import { type BackupContext, claim, commitEverywhere, sweep } from '../backup/run-backup.ts';
import { openRepositories, removeEverywhere, type Target } from '../backup/targets.ts';
import { archivesOf, awaitArchived, requireArchiving, segmentsBetween } from './await-archive.ts';
import { type CopiedBase, copyBase } from './copy-base.ts';
import { explainFailure } from './explain-failure.ts';
import { buildPhysicalManifest, factsAtBegin, factsAtEnd, summarize } from './physical-facts.ts';
import { openWalReceiver, type WalReceiver } from './receive-wal.ts';
import { readServerSettings, type ServerSettings } from './server-facts.ts';
import { switchWal } from './switch-wal.ts';
import { kilobytesPerSecond } from './transfer-rate.ts';

/**
 * One base backup, from the server to a manifest in every repository. Whatever fails, nothing that looks like a backup is
 * left behind, and the failure is thrown.
 */
export async function runPhysicalBackup(context: BackupContext): Promise<ActionOutcome> {
  const { task, signal, reporter, folders } = context;
  const compression = supported(context);
  const startTime = new Date();
  const access = await readAccess(task.server, task.namespace, folders?.access);
  const server = await chooseServer(task.server, access, signal);
  const settings = await readServerSettings(server.access, task.server.database, signal);
  const repositories = await openRepositories(task.repositories, folders?.mountRoot);
  let targets: readonly Target[] = [];
  try {
    await sweep(context, repositories);
    targets = await claim(context, repositories, server, startTime);
    await reporter.facts(factsAtBegin(server.facts, targets));
    const work: Work = { context, server, settings, compression, targets, startTime };
    const physical = await makeBackup(work);
    const backup = buildPhysicalManifest({
      task,
      run: context.attempt.run,
      backupID: targets[0]?.location.backupID ?? '',
      startTime,
      completionTime: new Date(),
      server: server.facts,
      compression,
      physical,
    });
    const checksum = await commitEverywhere(targets, backup, signal);
    await reporter.facts(factsAtEnd(backup, checksum, targets));
    const reason = physical.walMethod === 'Archive' ? 'EndWalArchived' : 'BackupStored';
    return { reason, message: summarize(backup, targets) };
  } catch (error) {
    const notRemoved = await removeEverywhere(targets);
    if (targets.length > 0) await reporter.facts(factsAtFailure(targets, notRemoved));
    throw signal.aborted ? signal.reason : error;
  } finally {
    await Promise.allSettled(repositories.map(({ store }) => store.close()));
  }
}

interface Work {
  readonly context: BackupContext;
  readonly server: ChosenServer;
  readonly settings: ServerSettings;
  readonly compression: StreamCompression;
  readonly targets: readonly Target[];
  readonly startTime: Date;
}

/** The operator refuses what is not there yet; an older operator with a newer policy may not. */
function supported({ task: { compression } }: BackupContext): StreamCompression {
  if (isStreamCompression(compression)) return compression;
  throw terminal(
    'NotImplemented',
    `compression.algorithm ${compression.algorithm} is not implemented: use zstd or none.`,
  );
}

async function makeBackup(work: Work): Promise<PhysicalBackup> {
  const { context, server, settings, targets } = work;
  const { task, signal } = context;
  const { walMethod } = task.physical;
  const archives = archivesOf(targets);
  if (walMethod === 'Archive') await requireArchiving(archives, settings.all.archive_mode, signal);
  const { base, start, end, wal } = await copyWithWal(work);
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

/** Early enough for the Job to say so before its deadline ends it. */
function giveUpAt({ context, startTime }: Work): number {
  const deadline = startTime.getTime() + context.task.deadlineSeconds * 1000;
  const now = Date.now();
  return now + Math.max(0, deadline - now) * 0.9;
}

interface Copied {
  readonly base: CopiedBase;
  readonly start: Position;
  readonly end: Position;
  readonly wal: readonly StoredObject[];
}

async function copyWithWal(work: Work): Promise<Copied> {
  const { context, server, targets } = work;
  const { task, log } = context;
  const stopping = new AbortController();
  const signal = AbortSignal.any([context.signal, stopping.signal]);
  const fail = (error: unknown) => stopping.abort(error);
  const warnings: string[] = [];
  let receiver: WalReceiver | undefined;
  try {
    if (task.physical.walMethod === 'Stream') {
      receiver = await openWalReceiver({ access: server.access, targets, log, signal });
    }
    const { base, start, end } = await copyOnce(work, { signal, fail, receiver, warnings });
    return { base, start, end, wal: (await receiver?.finish(end.lsn)) ?? [] };
  } catch (error) {
    stopping.abort(error);
    context.signal.throwIfAborted();
    throw await explainFailure(stopping.signal.reason, server, warnings, task.server.database);
  } finally {
    await receiver?.close();
  }
}

interface Parts {
  readonly signal: AbortSignal;
  readonly fail: (error: unknown) => void;
  readonly receiver: WalReceiver | undefined;
  /** Gets what the server complains of. */
  readonly warnings: string[];
}

async function copyOnce(work: Work, { signal, fail, receiver, warnings }: Parts) {
  const { context, server, settings, compression, targets } = work;
  const { task, reporter, log } = context;
  const { checkpoint, maxRate, walMethod } = task.physical;
  const replication = await openReplication(server.access, signal);
  let start: Position | undefined;
  let end: Position | undefined;
  let meter: Meter | undefined;
  try {
    reporter.progress({ step: 'waiting for the checkpoint' });
    const events = copyServer(replication, server.facts.major, {
      label: targets[0]?.location.backupID ?? 'tidemark',
      checkpoint,
      wal: walMethod === 'Fetch',
      ...(maxRate === undefined ? {} : { maxRate: kilobytesPerSecond(maxRate) }),
    });
    const base = await copyBase(events, {
      targets,
      compression,
      signal,
      onStart: async (position) => {
        start = position;
        log.info({ lsn: formatLsn(position.lsn), timeline: position.timeline }, 'the base backup begins');
        await receiver?.start(position, settings.segmentSize, fail);
      },
      onSources: async (total, copied) => {
        meter = createMeter(reporter, total);
        meter.begin('copying the data directory', total, async () => copied());
        await reporter.facts({ size: { source: String(total) } });
      },
      onWarning: (text) => {
        warnings.push(text);
        log.warn({ said: text }, 'the server warns');
      },
      onEnd: (position) => {
        end = position;
      },
    });
    if (start === undefined || end === undefined) throw new Error('a base backup without a beginning or an end');
    requireOneTimeline(start, end);
    return { base, start, end };
  } finally {
    meter?.stop();
    await replication.close();
  }
}

function requireOneTimeline(start: Position, end: Position): void {
  if (start.timeline === end.timeline) return;
  throw transient(
    'PromotedDuringBackup',
    `The backup began on timeline ${start.timeline} and ended on timeline ${end.timeline}: the server was promoted while it was made. Start the backup again.`,
  );
}
