import { transient } from '../../domain/failure.ts';
import type { StoredObject } from '../../domain/manifest.ts';
import { formatLsn } from '../../domain/wal/lsn.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import { copyServer, type Position } from '../../postgres/replication/base-backup.ts';
import { openReplication, type Replication } from '../../postgres/replication/connection.ts';
import type { Compression } from '../../stream/compress.ts';
import { createMeter, type Meter } from '../backup/meter.ts';
import type { BackupContext } from '../backup/run-backup.ts';
import type { Target } from '../backup/targets.ts';
import { type CopiedBase, copyBase } from './copy-base.ts';
import { explainFailure } from './explain-failure.ts';
import { asRefusal, asRefusedList, IncrementRefused } from './increment-refused.ts';
import { afterRefusal, type Packing, packingsFor } from './packing.ts';
import type { BackupPlan } from './plan-increment.ts';
import { openWalReceiver, type WalReceiver } from './receive-wal.ts';
import type { ServerSettings } from './server-facts.ts';
import { kilobytesPerSecond } from './transfer-rate.ts';

export interface Work {
  readonly context: BackupContext;
  readonly server: ChosenServer;
  readonly settings: ServerSettings;
  readonly compression: Compression;
  readonly targets: readonly Target[];
  readonly startTime: Date;
  readonly plan: BackupPlan;
}

export interface Copied {
  readonly base: CopiedBase;
  readonly start: Position;
  readonly end: Position;
  readonly packing: Packing;
  readonly wal: readonly StoredObject[];
}

/** The base backup and, for walMethod Stream, the WAL that comes meanwhile. Every process has ended when it settles. */
export async function copyWithWal(work: Work): Promise<Copied> {
  const { context, server, compression, targets } = work;
  const { task, log } = context;
  const stopping = new AbortController();
  const signal = AbortSignal.any([context.signal, stopping.signal]);
  const fail = (error: unknown) => stopping.abort(error);
  const warnings: string[] = [];
  let receiver: WalReceiver | undefined;
  try {
    if (task.physical.walMethod === 'Stream') {
      const quiet = context.patience?.silence;
      receiver = await openWalReceiver({ server, targets, compression, log, signal, quiet });
    }
    const copied = await copyAsPossible(work, { signal, fail, receiver, warnings });
    return { ...copied, wal: (await receiver?.finish(copied.end.lsn)) ?? [] };
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

/** As the policy has it packed, or as the server can. */
async function copyAsPossible(work: Work, parts: Parts): Promise<Omit<Copied, 'wal'>> {
  const { context, server, compression } = work;
  const { patience } = context;
  const { major } = server.facts;
  const limits = patience === undefined ? { major } : { major, silence: patience.silence };
  const replication = await openReplication(server.access, parts.signal, limits);
  let packings = packingsFor(context.task.physical, compression, server.facts);
  try {
    await uploadParent(work.plan, replication);
    for (;;) {
      const [packing] = packings;
      if (packing === undefined) throw new Error('nobody to pack the backup');
      if (packing.by === 'Client' && packing.because !== undefined) {
        context.log.warn({ because: packing.because }, 'physical.compress is Server, but the agent packs the backup');
      }
      const begun: Begun = {};
      try {
        return await copyOnce(work, { ...parts, replication, packing, begun });
      } catch (error) {
        packings = begun.start === undefined ? afterRefusal(packings, error) : [];
        if (packings.length === 0)
          throw begun.start === undefined && work.plan.type !== 'Full' ? asRefusal(error) : error;
        parts.warnings.length = 0;
        context.log.warn({ err: error, asked: packing }, 'the server cannot pack the backup in this way');
      }
    }
  } finally {
    await replication.close();
  }
}

/** The server reads from it which files the parent has, and from where on the WAL tells what has changed. */
async function uploadParent(plan: BackupPlan, replication: Replication): Promise<void> {
  if (plan.type === 'Full') return;
  try {
    await replication.copyIn('UPLOAD_MANIFEST', plan.list);
  } catch (error) {
    throw asRefusedList(asRefusal(error));
  }
}

interface Begun {
  start?: Position;
}

interface OneCopy extends Parts {
  readonly replication: Replication;
  readonly packing: Packing;
  readonly begun: Begun;
}

async function copyOnce(work: Work, { signal, fail, receiver, warnings, replication, packing, begun }: OneCopy) {
  const { context, server, settings, compression, targets, plan } = work;
  const { task, reporter, log } = context;
  const { checkpoint, maxRate, walMethod } = task.physical;
  let end: Position | undefined;
  let meter: Meter | undefined;
  try {
    reporter.progress({ step: 'waiting for the checkpoint' });
    const events = copyServer(replication, server.facts.major, {
      label: targets[0]?.location.backupID ?? 'tidemark',
      checkpoint,
      wal: walMethod === 'Fetch',
      ...(maxRate === undefined ? {} : { maxRate: kilobytesPerSecond(maxRate) }),
      ...(packing.by === 'Server' ? { zstd: packing } : {}),
      ...(plan.type === 'Full' ? {} : { incremental: true }),
    });
    const base = await copyBase(events, {
      targets,
      compression,
      packedBy: packing.by,
      listFiles: settings.all.summarize_wal === 'on',
      signal,
      onStart: async (position) => {
        begun.start = position;
        requireTimeline(plan, position);
        log.info(
          { lsn: formatLsn(position.lsn), timeline: position.timeline, packedBy: packing.by },
          'the base backup begins',
        );
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
    const { start } = begun;
    if (start === undefined || end === undefined) throw new Error('a base backup without a beginning or an end');
    requireOneTimeline(start, end);
    return { base, start, end, packing };
  } finally {
    meter?.stop();
  }
}

/** Right after a promotion the control file still tells the old timeline. */
function requireTimeline(plan: BackupPlan, { timeline }: Position): void {
  if (plan.type === 'Full' || plan.parent.timeline === timeline) return;
  const { backupID, timeline: before } = plan.parent;
  throw new IncrementRefused({
    reason: 'TimelineSwitched',
    message: `The server is on timeline ${timeline}, and backup ${backupID} on timeline ${before}: it was promoted since. The next increments stand on this full backup.`,
  });
}

function requireOneTimeline(start: Position, end: Position): void {
  if (start.timeline === end.timeline) return;
  throw transient(
    'PromotedDuringBackup',
    `The backup began on timeline ${start.timeline} and ended on timeline ${end.timeline}: the server was promoted while it was made. Start the backup again.`,
  );
}
