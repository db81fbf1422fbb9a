import { Failure } from '../../domain/failure.ts';
import type { RecoverTask, RepositoryTask, RestoreTask } from '../../domain/task.ts';
import { provesBad } from '../../domain/verification/verdict.ts';
import { openStore } from '../../repository/open.ts';
import { type FoundOut, putVerdict, type StoredVerdict } from '../../repository/verdicts.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import type { Reporter } from '../report.ts';

type Context = ActionContext<RecoverTask | RestoreTask>;

interface Verified {
  readonly repository: RepositoryTask;
  /** undefined where it is not known which folder it is. */
  readonly path: string | undefined;
  /** The PitrRecovery or RestoreRequest. */
  readonly by: string;
  readonly mountRoot?: string;
}

const patience = 30_000;

/**
 * Does a verification, and writes what it has found out beside the backup's manifest, so that it is known without this
 * cluster. What says nothing of the backup is not written; what cannot be written is said in the last word.
 */
export async function tellingVerdict(
  context: Context,
  verified: Verified,
  verify: (reporter: Reporter) => Promise<ActionOutcome>,
): Promise<ActionOutcome> {
  const { task, reporter, signal } = context;
  const { verdict } = task;
  if (verdict === undefined || verified.path === undefined) return verify(reporter);
  let restoreSeconds: number | undefined;
  const facts: Reporter['facts'] = async (said) => {
    restoreSeconds = secondsIn(said) ?? restoreSeconds;
    await reporter.facts(said);
  };
  let outcome: ActionOutcome;
  try {
    outcome = await verify({ ...reporter, facts });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failure) || error.retryable || !provesBad(error.reason, verdict.partial)) throw error;
    const { reason, message } = error;
    const word = await tell(context, verified, 'Bad', { reason, message: [...message].slice(0, 2048).join('') });
    throw new Failure(reason, `${message}${word}`, { retryable: false, cause: error });
  }
  // Another repository has lent what this one lacks: its own bytes are not shown to be good.
  if (outcome.elsewhere === true) return outcome;
  const word = await tell(context, verified, 'Good', restoreSeconds === undefined ? {} : { restoreSeconds });
  return { ...outcome, message: `${outcome.message}${word}` };
}

function secondsIn({ measured, restoreSeconds }: Readonly<Record<string, unknown>>): number | undefined {
  if (typeof restoreSeconds === 'number') return restoreSeconds;
  const isMeasured = typeof measured === 'object' && measured !== null && 'rtoSeconds' in measured;
  return isMeasured && typeof measured.rtoSeconds === 'number' ? measured.rtoSeconds : undefined;
}

/** Why it could not be told, as a sentence; empty where it was. */
async function tell(
  { task, log, signal }: Context,
  { repository, path = '', by, mountRoot = '' }: Verified,
  outcome: StoredVerdict['outcome'],
  found: Pick<FoundOut, 'reason' | 'message' | 'restoreSeconds'>,
): Promise<string> {
  const what = outcome === 'Good' ? 'good' : 'bad';
  const alone = `so that its BackupRun alone knows that it was found ${what}.`;
  if (repository.spec.accessMode === 'ReadOnly')
    return ` The BackupRepository ${repository.name} has accessMode: ReadOnly, ${alone}`;
  const said: FoundOut = { time: new Date().toISOString(), by, namespace: task.namespace, ...found };
  const within = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  try {
    const store = await openStore(repository, 0, { mountRoot });
    try {
      await putVerdict(store, path, outcome, said, within);
    } finally {
      await store.close();
    }
    return '';
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ err: error, path }, 'the verdict could not be told to the repository');
    const why = error instanceof Failure ? error.message : 'It did not answer in time.';
    return ` It could not be told to the repository, ${alone} ${why}`;
  }
}
