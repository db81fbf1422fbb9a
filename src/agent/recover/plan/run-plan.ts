import { type RecoveryPlan, recoveryPlan } from '../../../api/pitr-recovery.ts';
import { terminal } from '../../../domain/failure.ts';
import type { PhysicalManifest } from '../../../domain/manifest.ts';
import { quantityOf } from '../../../domain/quantity.ts';
import type { CataloguedBackup } from '../../../domain/recovery/catalogue.ts';
import { formatMoment } from '../../../domain/recovery/moment.ts';
import type { PlanRecoveryTask } from '../../../domain/task.ts';
import { historyName } from '../../../domain/wal/file-name.ts';
import { formatLsn } from '../../../domain/wal/lsn.ts';
import { largestInMemory } from '../../../repository/large-wal.ts';
import { openEncrypted } from '../../../repository/open-encrypted.ts';
import type { ActionContext, ActionOutcome } from '../../action.ts';
import { openMirrored } from '../../restore-sources.ts';
import { type BackupWithWal, openWalSource } from '../run/wal-source.ts';
import { describePlan, sizeOf } from './describe-plan.ts';
import { findSystem } from './find-system.ts';
import type { Followed } from './follow-target.ts';
import { followTrusted } from './follow-trusted.ts';
import { type ReadCatalogue, readCatalogue } from './read-catalogue.ts';
import { type ChainMember, isBroken, readParents } from './read-chain.ts';
import { beginOf } from './read-wal.ts';

export interface PlanContext extends ActionContext<PlanRecoveryTask> {
  readonly folders?: { readonly mountRoot: string };
}

/**
 * Decides how a recovery will be done, and whether it can be, by reading the repository; touches nothing. What it decides
 * goes into status.plan; a target that cannot be reached is a terminal failure that names the nearest one.
 */
export async function runPlanRecovery({ task, reporter, log, signal, folders }: PlanContext): Promise<ActionOutcome> {
  const { repository, others = [] } = task.source;
  const { store, identity, fallbacks } = await openMirrored([repository, ...others], folders?.mountRoot ?? '', log);
  try {
    const location = await findSystem(store, task, { log, signal });
    const readTime = new Date();
    const catalogue = await readCatalogue(store, location, { log, signal, identity });
    const plan = await planPatiently(task, catalogue, { signal, log, readTime });
    await reporter.facts({ plan });
    const { steps } = plan;
    return { reason: 'Planned', message: `${steps.join(' ')}${fallbacks()}` };
  } finally {
    await store.close();
  }
}

/** Where a backup or its chain is broken, an older backup and more WAL may lead to the same target. */
async function planPatiently(
  task: PlanRecoveryTask,
  catalogue: ReadCatalogue,
  { signal, log, readTime }: Pick<PlanContext, 'signal' | 'log'> & { readonly readTime: Date },
) {
  const follower = followTrusted(task, catalogue, signal);
  const passedOver: string[] = [];
  for (let rest = catalogue.backups, next = await follower.follow(rest); ; ) {
    try {
      const chosen = { followed: next, passedOver, readTime, failed: follower.failed() };
      return await makePlan(task, catalogue, chosen, signal);
    } catch (error) {
      if (!isBroken(error) || task.target.backupID !== '') throw error;
      const { backup } = next.candidate;
      log.warn({ backup: backup.backupID }, error.message);
      passedOver.push(backup.backupID);
      rest = rest.filter((each) => each !== backup);
      const older = await follower.follow(rest).catch(() => undefined);
      if (older === undefined) throw error;
      next = older;
    }
  }
}

const major = /^\d+/;
/** Hot standby refuses lower values than the primary had (PostgreSQL, "Administrator's Overview" of hot standby). */
const floors = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
];

function floorsOf({ settings }: PhysicalManifest['physical']) {
  return floors.flatMap((name) => {
    const value = settings[name];
    return value === undefined ? [] : [{ name, value }];
  });
}

interface Chosen {
  readonly followed: Followed;
  /** Newer backups whose chains are broken. */
  readonly passedOver: readonly string[];
  /** When the archive was listed. */
  readonly readTime: Date;
  /** Those that failed their verification. */
  readonly failed: readonly string[];
}

async function makePlan(
  task: PlanRecoveryTask,
  catalogue: ReadCatalogue,
  { followed, passedOver, readTime, failed }: Chosen,
  signal: AbortSignal,
) {
  const { backup, path } = followed.candidate;
  const manifest = catalogue.manifests.get(backup);
  if (manifest === undefined) throw new Error(`no manifest of ${backup.backupID}`);
  const { physical } = manifest;
  const { stop, wal } = followed;
  const segments = wal.segments.filter((name) => stop === undefined || beginOf(name, backup.segmentSize) < stop);
  const stored = { store: catalogue.archive.store, path: backup.path, manifest, identity: catalogue.identity };
  const parents = await readParents(stored.store, catalogue.location, { manifest, path: backup.path }, signal);
  for (const { manifest: parent, path: parentPath } of parents)
    await openEncrypted({ store: stored.store, path: parentPath, manifest: parent }, catalogue.identity, signal);
  await checkDecryption(task, segments, catalogue, stored, signal);
  await checkHistory(path.timeline, catalogue, stored, signal);
  const walBytes = segments.length * backup.segmentSize;
  const chain = [...parents.map((each) => each.manifest), manifest];
  checkSpace(task, chain, walBytes);
  const dataDirectory = task.dataDirectory ?? physical.dataDirectory;
  const settings = floorsOf(physical);
  const { lastCommit, endOfRecords, heartbeatSeconds } = followed.end;
  const recovery: RecoveryPlan = recoveryPlan.parse({
    backupID: backup.backupID,
    backupPath: backup.path,
    ...(parents.length === 0 ? {} : { parents: parents.map(memberOf) }),
    repository: task.source.repository.name,
    ...catalogue.location,
    major: Number(major.exec(manifest.server.version)?.[0]),
    version: manifest.server.version,
    segmentSize: backup.segmentSize,
    beginLSN: physical.beginLSN,
    endLSN: physical.endLSN,
    beginTimeline: backup.timeline,
    targetTimeline: path.timeline,
    ...(stop === undefined ? {} : { targetLSN: formatLsn(stop) }),
    endOfArchive: formatLsn(endOfRecords ?? backup.end),
    ...(lastCommit === undefined ? {} : { endOfArchiveTime: formatMoment(lastCommit) }),
    readTime: readTime.toISOString(),
    ...(heartbeatSeconds === undefined ? {} : { heartbeatSeconds }),
    bytes: String(stagedBytes(chain) + resultBytes(chain)),
    dataDirectory,
    uid: physical.owner.uid,
    gid: physical.owner.gid,
    settings,
  });
  const newTimeline = newTimelineAfter(path.timeline, catalogue);
  const steps = describePlan({
    task,
    chain,
    passedOver,
    followed,
    dataDirectory,
    segments,
    walBytes,
    settings,
    newTimeline,
    failed: failedOf(task, failed, catalogue, backup),
  });
  return {
    backupID: backup.backupID,
    ...(parents.length === 0 ? {} : { chain: chain.map(({ backupID }) => backupID) }),
    timeline: path.timeline,
    ...(followed.targetTime === undefined ? {} : { targetTime: formatMoment(followed.targetTime) }),
    firstSegment: segments[0] ?? '',
    lastSegment: segments.at(-1) ?? '',
    walBytes: String(walBytes),
    steps,
    recovery,
  };
}

/** The newer ones of them, or the chosen one itself where nothing else leads to the target. */
function failedOf(
  { target }: PlanRecoveryTask,
  ids: readonly string[],
  catalogue: ReadCatalogue,
  chosen: CataloguedBackup,
): readonly string[] {
  const failed = catalogue.backups.filter(({ backupID }) => ids.includes(backupID));
  if (failed.includes(chosen)) return [chosen.backupID];
  return target.backupID === '' ? failed.filter(({ time }) => time > chosen.time).map(({ backupID }) => backupID) : [];
}

/** Replay asks for it first, and ends without it. */
async function checkHistory(
  timeline: number,
  { archive, histories }: ReadCatalogue,
  stored: BackupWithWal,
  signal: AbortSignal,
): Promise<void> {
  if (timeline === 1 || histories.has(timeline)) return;
  const source = openWalSource(archive, stored);
  if ((await source.get(historyName(timeline), { signal })) !== undefined) return;
  throw terminal(
    'TimelineUnreachable',
    `${historyName(timeline)} is neither in the archive nor in the backup, so that nobody can tell how timeline ${timeline} came to be. Bring the file back from a copy of the repository or from pg_wal of the server, or recover another backup.`,
  );
}

/** With recipients that changed meanwhile, an identity may fit the backup and not its WAL: its ends are tried too. */
async function checkDecryption(
  task: PlanRecoveryTask,
  segments: readonly string[],
  { archive }: ReadCatalogue,
  stored: BackupWithWal,
  signal: AbortSignal,
): Promise<void> {
  await openEncrypted(stored, stored.identity, signal);
  const isPlain = stored.manifest.encryption === undefined && task.source.repository.spec.encryption === undefined;
  if (isPlain) return;
  const source = openWalSource(archive, stored);
  for (const name of new Set([segments[0], segments.at(-1)])) {
    if (name === undefined) continue;
    if (stored.manifest.physical.segmentSize <= largestInMemory) await source.get(name, { signal });
    else await source.readInto(name, readBeginning, { signal });
  }
}

/** So much tells whether the identity fits. */
async function readBeginning(pieces: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of pieces) return;
}

/** PostgreSQL takes the first one behind the target's that has no history file. */
function newTimelineAfter(timeline: number, { histories }: ReadCatalogue): number {
  let next = timeline + 1;
  while (histories.has(next)) next += 1;
  return next;
}

/** The server keeps little of the WAL that it has replayed; files grow, and need room to be written anew. */
const spare = 1.1;
const keptWal = 1024 ** 3;

/** Every block of what is combined lies in one of the backups. */
function resultBytes(chain: readonly PhysicalManifest[]): number {
  return chain.reduce((sum, { size }) => sum + size.source, 0);
}

/** Those that are combined lie beside the result until it is made. */
function stagedBytes(chain: readonly PhysicalManifest[]): number {
  return chain.length > 1 ? resultBytes(chain) : 0;
}

function checkSpace({ capacity }: PlanRecoveryTask, chain: readonly PhysicalManifest[], walBytes: number): void {
  if (capacity === undefined) return;
  const room = quantityOf(capacity);
  const source = resultBytes(chain);
  const staged = stagedBytes(chain);
  const needed = Math.ceil(staged + source * spare + Math.min(walBytes, keptWal));
  if (Number.isNaN(room) || room >= needed) return;
  const newest = chain.at(-1)?.backupID;
  const what =
    staged === 0
      ? `${sizeOf(source)} of backup ${newest}`
      : `${sizeOf(staged)} of the ${chain.length} backups that ${newest} is combined of, as much at most of the result`;
  throw terminal(
    'InsufficientStorage',
    `The volume has room for ${sizeOf(room)} (${capacity}), and the recovery needs ${sizeOf(needed)}: ${what}, a tenth to spare, and WAL. Ask for a larger volume (target.instance.storage.size), or enlarge the claim that is to hold it${staged === 0 ? '' : '; or recover from a full backup (recoveryTarget.backupID) and more WAL'}.`,
  );
}

function memberOf({ manifest: { backupID }, path, checksum }: ChainMember) {
  return { backupID, path, checksum };
}
