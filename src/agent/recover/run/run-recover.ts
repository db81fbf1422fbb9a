import { mkdir, readdir } from 'node:fs/promises';
import { Failure, terminal } from '../../../domain/failure.ts';
import { baseObjects } from '../../../domain/manifest.ts';
import { toolFor, writeLibpqFiles } from '../../../postgres/tools.ts';
import type { ActionOutcome } from '../../action.ts';
import { checkAssertions, describeFailedAssertions } from '../../restore/check-assertions.ts';
import { requireNextWal, requirePrimary } from './ask-primary.ts';
import { wordsOfClockAhead } from './clock-ahead.ts';
import { type RecoverContext, usualFolders, usualPatience } from './context.ts';
import { type Extracted, extract } from './extract.ts';
import type { Followed, Reached } from './follow-server.ts';
import { startHeartbeat } from './heartbeat.ts';
import { layBase } from './lay-base.ts';
import { layChain } from './lay-chain.ts';
import { leaveStandby, readStandbyCredentials } from './leave-standby.ts';
import { syncFolder } from './marker.ts';
import { type Measured, measure } from './measure.ts';
import { openSource } from './open-source.ts';
import { type Place, placeOf, readMountPoints } from './place.ts';
import { finishPlace, preparePlace, putBack, tablespacesOf } from './prepare-place.ts';
import { tellProgress } from './progress.ts';
import { type Questioning, questionedWords, questioningOf } from './questioning.ts';
import { runServer, type ServerRun } from './run-server.ts';
import type { WalService } from './serve-wal.ts';
import { forgetArchiving } from './settings-file.ts';
import { clearFolder, signsIn } from './signs.ts';
import { requireCleanEnd, stopServer } from './stop-server.ts';

/** For the pod's grace period: what a cancelled recovery has to put in order itself. */
const hastyStop = 60_000;
const calmStop = 120_000;

/**
 * Carries a planned recovery out, with the server in the container beside this one: lays the base backup, gives the server
 * its WAL, watches it to the target, questions it, and has it shut down. Whatever fails, no half-recovered data directory
 * stays, and one that was there before is back in its place.
 */
export async function runRecover(context: RecoverContext): Promise<ActionOutcome> {
  const { task, signal, log } = context;
  const begun = new Date();
  const folders = context.folders ?? usualFolders(readMountPoints);
  const patience = { ...usualPatience, ...context.patience };
  const signs = signsIn(folders.recovery);
  const told = tellProgress(context.reporter);
  const place = placeOf(task.place, (await folders.mountPoints()).has(task.place.dataDirectory));
  let service: WalService | undefined;
  let touched = false;
  await clearFolder(folders.recovery, await readdir(folders.recovery));
  const heartbeat = await startHeartbeat(folders.recovery);
  try {
    const standby = await readStandbyCredentials(task, folders.standbyCredentials);
    if (standby !== undefined) await requirePrimary(task, standby, signal);
    const source = await openSource(task, folders.mountRoot, context);
    try {
      touched = true;
      await preparePlace(place, task.recovery.uid);
      const run = { context, folders, patience, source, signs, told };
      const questioning = questioningOf({ context, folders, patience, place });
      await layTheBase(run, place, questioning);
      const laid = new Date(Date.now() - (questioning?.spent() ?? 0));
      const followed = await runServer(run, (serving) => {
        service = serving;
      });
      log.info({ ...followed.reached }, 'the server has reached the target');
      const { targetTime } = task.target;
      const ahead = wordsOfClockAhead(await signs.log(), { targetTime, plan: task.plan }, followed.reached);
      if (ahead !== '') log.warn({ ...followed.reached, targetTime }, ahead.trim());
      if (standby !== undefined) await requireNextWal(task, standby, followed.reached, signal);
      const measured = measure(task, followed.reached, {
        begun,
        laid,
        now: new Date(Date.now() - (questioning?.spent() ?? 0)),
      });
      const extracted = await conclude(run, followed, measured, questioning);
      told.say({ stage: 'Stopping', percent: 99 });
      const state = standby === undefined ? 'shut down' : 'shut down in recovery';
      await requireCleanEnd(signs, task.place.dataDirectory, { state, patience: patience.stop, signal });
      await questioning?.conclude(measured);
      if (task.standbyOf !== undefined && standby !== undefined) {
        await leaveStandby(task.place.dataDirectory, task.standbyOf, standby);
      }
      await syncFolder(task.place.dataDirectory);
      await finish(context, place);
      told.say({ stage: 'Stopping', percent: 100 });
      await told.flush();
      const outcome = outcomeOf(context, followed.reached, extracted, questioning);
      const fallbacks = source.fallbacks();
      return { ...outcome, message: `${outcome.message}${ahead}${fallbacks}`, elsewhere: fallbacks !== '' };
    } finally {
      await service?.stop();
      await source.store.close();
    }
  } catch (error) {
    const because = signal.aborted && !(error instanceof Failure) ? signal.reason : error;
    throw await undoAll(because);
  } finally {
    heartbeat.stop();
    await clearFolder(folders.recovery, ['want', 'have', 'absent', 'error', 'extract', 'arguments', 'alive']);
  }

  async function undoAll(error: unknown): Promise<unknown> {
    const limit = signal.aborted ? hastyStop : calmStop;
    const hasServer = (await signs.hasStarted()) || (await readdir(folders.recovery)).includes('recover.sh');
    const ended = (await stopServer(signs, hasServer ? limit : 0)) || !hasServer;
    if (!touched) return error;
    if (!ended) {
      return unclear(
        error,
        'The server did not end, so the data directory is left as it is; the next try puts it in order.',
      );
    }
    try {
      return withAftermath(error, await putBack(place));
    } catch (failure) {
      log.error({ err: failure }, 'could not put the data directory in order');
      const said = failure instanceof Error ? failure.message : String(failure);
      return unclear(error, `The data directory could not be put in order (${said}); the next try does that.`);
    }
  }
}

async function finish({ task, log }: RecoverContext, place: Place): Promise<void> {
  try {
    await finishPlace(place, { keepOld: task.place.keepOldData ?? true });
  } catch (error) {
    log.warn({ err: error }, 'the recovery is complete, but the old data directory could not be removed');
  }
}

async function layTheBase(run: ServerRun, place: Place, questioning: Questioning | undefined): Promise<void> {
  const { context, source, told } = run;
  const { task, signal, log } = context;
  const { dataDirectory } = task.place;
  const tablespaces = tablespacesOf(place, task.recovery.uid);
  const members = [...source.parents, source.base];
  const total = members
    .flatMap(({ manifest }) => baseObjects(manifest.physical))
    .reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const say = () =>
    told.say({
      stage: 'RestoringBase',
      bytesDone: String(done),
      bytesTotal: String(total),
      percent: total === 0 ? 100 : Math.min(100, Math.floor((done / total) * 100)),
    });
  say();
  log.info({ backups: members.map(({ path }) => path), bytes: total, dataDirectory }, 'laying the base backup');
  const options = {
    signal,
    ...(questioning === undefined ? {} : { onLaid: questioning.onLaid }),
    onBytes: (bytes: number) => {
      done += bytes;
      say();
    },
  };
  if (source.parents.length === 0) await layBase(source.base, { dataDirectory, tablespaces }, options);
  else {
    const onCombining = () => told.say({ stage: 'Combining', bytesDone: String(done), bytesTotal: String(total) });
    const chain = { ...options, staging: place.staging, major: task.plan.major, onCombining };
    await layChain(members, { dataDirectory, tablespaces }, chain);
  }
  // In place, the sidecar that archives stays with the workload.
  if (task.place.oldDataDirectory === undefined) await forgetArchiving(dataDirectory);
}

/** Questions, figures, copies: all that needs the server before it goes. */
async function conclude(
  run: ServerRun,
  { access, reached }: Followed,
  measured: Measured,
  questioning: Questioning | undefined,
): Promise<Extracted | undefined> {
  const { context, folders, told } = run;
  const { task, reporter, signal, log } = context;
  await reporter.facts({ reached, measured });
  if (task.assertions.length > 0 || questioning !== undefined) {
    told.say({ stage: 'Checking', replayedLSN: reached.lsn, percent: 99 });
    await (questioning === undefined ? assertAll(run, access) : questioning.whileItRuns(access));
  }
  if (task.extract === undefined) return undefined;
  const extracted = await extract({
    task,
    access,
    log,
    signal,
    folder: folders.recovery,
    into: folders.access,
    onProgress: (done, total) => told.say({ stage: 'Extracting', percent: Math.floor((done / total) * 100) }),
  });
  await reporter.facts({ extracted });
  return extracted;
}

async function assertAll({ context, folders }: ServerRun, access: Followed['access']): Promise<void> {
  const { task, reporter, signal } = context;
  const temporary = `${folders.recovery}/questions`;
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const psql = await toolFor('psql', task.plan.major);
  const files = await writeLibpqFiles(access, temporary);
  const results = await checkAssertions(task.assertions, psql, { access, files }, signal);
  await clearFolder(folders.recovery, ['questions']);
  await reporter.facts({ assertions: results });
  const failed = describeFailedAssertions(results);
  if (failed !== undefined) throw terminal('AssertionFailed', failed);
}

function outcomeOf(
  { task }: RecoverContext,
  { lsn, time, timeline }: Reached,
  extracted: Extracted | undefined,
  questioning: Questioning | undefined,
): ActionOutcome {
  const at = `${lsn}${time === undefined ? '' : `, last commit ${time}`}, timeline ${timeline}`;
  if (extracted !== undefined) {
    const names = task.extract?.databases.map(({ name }) => name).join(', ');
    return {
      reason: 'Extracted',
      message: `Recovered backup ${task.plan.backupID} to ${at}, copied ${extracted.objects} objects out of ${names} into ${task.extract?.server.hosts[0]}, and removed the recovered server.`,
    };
  }
  return task.standbyOf === undefined
    ? {
        reason: 'TargetReached',
        message: `Recovered backup ${task.plan.backupID} to ${at}.${questionedWords(questioning?.results() ?? [])}`,
      }
    : {
        reason: 'StandbyReady',
        message: `Recovered backup ${task.plan.backupID} to ${at}; it goes on as a standby of ${task.standbyOf.host}.`,
      };
}

/** No server may be started on what is there: the operator leaves the workload down for this reason. */
function unclear(error: unknown, aftermath: string): unknown {
  const told = withAftermath(error, aftermath);
  return told instanceof Failure
    ? new Failure('PlaceUnclear', told.message, { retryable: told.retryable, cause: told })
    : terminal('PlaceUnclear', aftermath, error);
}

function withAftermath(error: unknown, aftermath: string): unknown {
  if (!(error instanceof Failure)) return error;
  return new Failure(error.reason, `${error.message} ${aftermath}`, { retryable: error.retryable, cause: error.cause });
}
