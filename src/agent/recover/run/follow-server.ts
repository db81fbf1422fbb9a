import { setTimeout as delay } from 'node:timers/promises';
import type { RecoveryPlan } from '../../../api/pitr-recovery.ts';
import { Failure, terminal, transient } from '../../../domain/failure.ts';
import { formatLsn, parseLsn } from '../../../domain/wal/lsn.ts';
import type { ServerAccess } from '../../../postgres/access.ts';
import { withConnection } from '../../../postgres/query.ts';
import type { AgentLog } from '../../log.ts';
import type { RecoverPatience } from './context.ts';
import { explainLog, settingsTooLow, type Wanted } from './explain-log.ts';
import { replayedPercent, type Told } from './progress.ts';
import type { WalService } from './serve-wal.ts';
import type { Signs } from './signs.ts';

export interface FollowOptions {
  readonly signs: Signs;
  readonly service: WalService;
  readonly plan: RecoveryPlan;
  readonly wanted: Wanted;
  /** The socket's folder, and who to be, best first. */
  readonly socket: string;
  readonly superusers: readonly string[];
  /** Starts the server again with at least these values. */
  readonly raise: (settings: ReadonlyMap<string, number>) => Promise<void>;
  /** Whether a server that is still a standby has come as far as it is to go; undefined where it is to be promoted. */
  readonly isFarEnough: (() => boolean) | undefined;
  readonly told: Told;
  readonly patience: RecoverPatience;
  readonly log: AgentLog;
  readonly signal: AbortSignal;
}

export interface Followed {
  readonly access: ServerAccess;
  readonly reached: Reached;
}

export interface Reached {
  readonly lsn: string;
  readonly time?: string;
  readonly timeline: number;
}

interface Look {
  readonly recovering: boolean;
  readonly lsn: string | null;
  readonly time: Date | null;
  readonly timeline: number;
}

const look = `
  SELECT pg_catalog.pg_is_in_recovery() AS recovering,
         pg_catalog.pg_last_wal_replay_lsn()::text AS lsn,
         pg_catalog.pg_last_xact_replay_timestamp() AS time,
         CASE WHEN pg_catalog.pg_is_in_recovery()
              THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())
              ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::int
         END AS timeline`;

/** Watches replay until the server has been promoted, or has come far enough. Says why, where the server ends before. */
export async function followServer(options: FollowOptions): Promise<Followed> {
  const { signs, service, patience, signal, isFarEnough } = options;
  const begun = performance.now();
  const raised = new Map<string, number>();
  for (;;) {
    signal.throwIfAborted();
    const exitCode = await signs.ended();
    const again = await raiseWhereTooLow(options, raised);
    if (exitCode !== undefined && !again) throw await ended(options, exitCode);
    if (!(await signs.hasStarted()) && performance.now() - begun > patience.start) throw notStarted(patience.start);
    const seen = await tryLooking(options);
    sayReplay(options, seen?.look);
    if (seen !== undefined && !seen.look.recovering) return { access: seen.access, reached: reachedOf(seen.look) };
    if (seen !== undefined && isFarEnough?.()) return { access: seen.access, reached: reachedOf(seen.look) };
    // A store that fails is told at once; the server has met the same and ends.
    const failure = service.failure();
    if (failure !== undefined && seen === undefined) throw failure;
    await delay(patience.poll, undefined, { signal });
  }
}

async function tryLooking(
  options: FollowOptions,
): Promise<{ readonly access: ServerAccess; readonly look: Look } | undefined> {
  if (!(await options.signs.hasStarted())) return undefined;
  for (const username of options.superusers) {
    const access = accessBy(options.socket, username);
    try {
      const [row] = await withConnection(access, 'template1', options.signal, (query) => query<Look>(look), {
        connectTimeout: 5000,
        statementTimeout: 10_000,
      });
      if (row !== undefined) return { access, look: row };
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof Failure) || error.reason !== 'UnknownRole') return undefined;
    }
  }
  return undefined;
}

export function accessBy(socket: string, username: string): ServerAccess {
  return { host: socket, port: 5432, username, password: undefined, tls: { mode: 'disable' }, secret: '' };
}

function sayReplay({ told, plan, service }: FollowOptions, seen: Look | undefined): void {
  const asked = service.position();
  const replayed = seen?.lsn ?? (asked === undefined ? undefined : formatLsn(asked));
  if (replayed === undefined) return;
  told.say({
    stage: 'ReplayingWal',
    replayedLSN: replayed,
    ...(seen?.time == null ? {} : { replayedTime: seen.time.toISOString() }),
    percent: replayedPercent(parseLsn(replayed), plan),
  });
}

function reachedOf({ lsn, time, timeline }: Look): Reached {
  return { lsn: lsn ?? '0/0', timeline, ...(time === null ? {} : { time: time.toISOString() }) };
}

async function ended({ service, signs, wanted }: FollowOptions, exitCode: number): Promise<Failure> {
  const failure = service.failure();
  if (failure !== undefined) return failure;
  return explainLog(await signs.log(), exitCode, wanted);
}

/** Whether the server is started again. */
async function raiseWhereTooLow({ signs, raise, log }: FollowOptions, raised: Map<string, number>): Promise<boolean> {
  const tooLow = settingsTooLow(await signs.log());
  const higher = tooLow.filter(({ name, needed }) => needed > (raised.get(name) ?? 0));
  if (higher.length === 0) return false;
  for (const { name, needed } of higher) raised.set(name, needed);
  log.info({ settings: Object.fromEntries(raised) }, 'the server is started again with settings that replay has met');
  await raise(raised);
  return true;
}

function notStarted(milliseconds: number): Failure {
  return transient(
    'ServerNotStarted',
    `The container with the source's PostgreSQL has not begun within ${milliseconds / 1000} seconds after the base backup was laid. Look at the pod's Events: the image may not be pullable, or have no shell.`,
  );
}

/** Replay to the end of the archive has asked for its last segment: nothing before was taken for the end. */
export function requireEnd(service: WalService, last: string, reached: Reached): void {
  if (service.asked.has(last)) return;
  throw terminal(
    'ReplayEndedEarly',
    `The server took ${reached.lsn} for the end of the WAL, and the archive goes on to ${last}: a record there cannot be read. Recover to a moment before it (targetLSN: ${reached.lsn}), or bring the segment back from a copy of the repository.`,
  );
}
