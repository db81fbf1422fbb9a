import type { BackupRunStatus } from '../../../api/backup-run.ts';
import type { BackupPolicy, BackupRepository, BackupRun } from '../../../api/kinds.ts';
import { conditionsAfter, findCondition, rfc3339 } from '../../../domain/conditions.ts';
import { isStanding } from '../../../domain/standing.ts';
import { isStoredInSome } from '../../../domain/stored-in-some.ts';
import { isYetToCome } from '../../../domain/yet-to-come.ts';
import type { EventNote } from '../../../kube/events.ts';
import type { Desired } from '../../../kube/objects.ts';
import type { AgentSettings } from '../../jobs/build-job.ts';
import type { FoundJob } from '../../jobs/find-job.ts';
import { isRefusal } from '../../refusal.ts';
import { buildCopyJob } from './build-copy-job.ts';

export interface GatheredCopies {
  readonly run: BackupRun;
  /** Undefined where it is gone or cannot be read. */
  readonly policy: BackupPolicy | undefined;
  /** By name. */
  readonly repositories: ReadonlyMap<string, BackupRepository>;
  /** Other runs of the policy: one that was stored shows that its repository works. */
  readonly others: readonly BackupRun[];
  /** The policy's copy, if it belongs to this run. */
  readonly job: FoundJob | undefined;
  /** The policy's copy belongs to another run. */
  readonly isBusy: boolean;
  readonly agent: AgentSettings;
  readonly now: Date;
}

export interface CopyDecision {
  /** All that the operator owns in the run's status. */
  readonly status: Readonly<Record<string, unknown>> | undefined;
  readonly create: Desired | undefined;
  readonly removeJob: boolean;
  readonly events: readonly EventNote[];
  readonly lookAgainMilliseconds: number | undefined;
}

/** About two days of them; then it is left to a person (docs/copy-backups.md), or until the repository shows that it works. */
export const mostAttempts = 48;
const firstPause = 60_000;
const longestPause = 3_600_000;
const repositoryPause = 60_000;
const busyPause = 15_000;
/** For what the agent wrote into the status to come through its watch. */
const patience = 15_000;

const nothing: CopyDecision = {
  status: undefined,
  create: undefined,
  removeJob: false,
  events: [],
  lookAgainMilliseconds: undefined,
};

/** Of a run that some repositories have and others missed: whether it is copied now; pure. */
export function decideCopies(gathered: GatheredCopies): CopyDecision {
  const { run, policy, job, now } = gathered;
  if (!isStoredInSome(run.status)) return job === undefined ? nothing : { ...nothing, removeJob: isOver(job) };
  const lacking = lackingIn(gathered);
  if (lacking.length === 0) return caughtUp(gathered);
  if (job !== undefined && !isOver(job)) return nothing;
  if (job !== undefined) return afterJob(gathered, job);
  const [name] = lacking;
  const to = name === undefined ? undefined : gathered.repositories.get(name);
  const { attempts, lastTime } = triesSince(gathered, to);
  if (policy === undefined || policy.spec.suspend || attempts >= mostAttempts) return nothing;
  const isWrong = lastTime === undefined || isYetToCome(Date.parse(lastTime), now);
  const wait = isWrong ? 0 : Date.parse(lastTime) + pauseAfter(attempts) - now.getTime();
  if (wait > 0) return { ...nothing, lookAgainMilliseconds: wait };
  if (gathered.isBusy) return { ...nothing, lookAgainMilliseconds: busyPause };
  const from = sourcesOf(gathered);
  if (to === undefined || !isReady(to) || !from.some(isReady))
    return { ...nothing, lookAgainMilliseconds: repositoryPause };
  const made = buildCopyJob({ run, policy, to, from, agent: gathered.agent });
  if (isRefusal(made)) return failed(gathered, to.metadata.name, made.message);
  const message = `The backup is being copied to ${to.metadata.name}`;
  const tries = { attempts, ...(lastTime === undefined ? {} : { lastTime }) };
  return {
    ...nothing,
    create: made,
    status: statusWith(run, { catchUp: { ...tries, repository: to.metadata.name, message } }),
    events: [{ type: 'Normal', reason: 'Copying', action: 'Copy', note: `${message}, which missed it` }],
  };
}

/** Those that failed since the repository last showed that it works: it became Ready, or another backup was stored there. */
function triesSince(
  { run, others }: GatheredCopies,
  to: BackupRepository | undefined,
): { readonly attempts: number; readonly lastTime: string | undefined } {
  const { attempts = 0, lastTime } = run.status?.catchUp ?? {};
  if (to === undefined || lastTime === undefined) return { attempts, lastTime };
  const ready = findCondition(to.status?.conditions, 'Ready');
  const isIn = ({ status }: BackupRun) =>
    (status?.repositories ?? []).some(
      ({ name, state, reason }) => name === to.metadata.name && state === 'Stored' && reason !== 'Copied',
    );
  const signs = [
    ...(ready?.status === 'True' ? [ready.lastTransitionTime] : []),
    ...others.filter(isIn).flatMap(({ status }) => status?.completionTime ?? []),
  ];
  const isBack = signs.some((time) => Date.parse(time) > Date.parse(lastTime));
  return isBack ? { attempts: 0, lastTime: undefined } : { attempts, lastTime };
}

/** Of the policy's repositories; one that the policy does not name any more is not waited for. */
function lackingIn({ run, policy }: GatheredCopies): readonly string[] {
  const wanted = policy?.spec.repositoryRefs.map(({ name }) => name);
  return (run.status?.repositories ?? []).flatMap(({ name, state }) =>
    state === 'Failed' && (wanted === undefined || wanted.includes(name)) ? [name] : [],
  );
}

function sourcesOf({ run, repositories }: GatheredCopies): readonly BackupRepository[] {
  return (run.status?.repositories ?? []).flatMap(({ name, state }) => {
    const repository = state === 'Stored' ? repositories.get(name) : undefined;
    return repository === undefined ? [] : [repository];
  });
}

function isOver({ view }: FoundJob): boolean {
  return view.finished !== undefined;
}

function isReady({ status }: BackupRepository): boolean {
  return findCondition(status?.conditions, 'Ready')?.status === 'True';
}

export function pauseAfter(attempts: number): number {
  return Math.min(longestPause, firstPause * 2 ** Math.max(0, attempts - 1));
}

/** The repository that the Job worked for still lacks it: either that is not heard yet, or it failed. */
function afterJob(gathered: GatheredCopies, job: FoundJob): CopyDecision {
  const { run, now } = gathered;
  const { finished, pods } = job.view;
  const word = pods.findLast(({ termination }) => termination !== undefined)?.termination;
  const repository = run.status?.catchUp?.repository;
  const isThere = (run.status?.repositories ?? []).some(({ name, state }) => name === repository && state === 'Stored');
  // Another repository is next.
  if (isThere) return { ...nothing, removeJob: true, lookAgainMilliseconds: 2_000 };
  const since = now.getTime() - Date.parse(finished?.time ?? '');
  if (finished?.outcome === 'Complete' && since < patience) return { ...nothing, lookAgainMilliseconds: 5_000 };
  const why =
    finished?.outcome === 'Complete'
      ? 'The Job ended well, but its word did not arrive; it is made once more, and says so again.'
      : (word?.message ?? finished?.message ?? 'The Job failed without a word. Look at its pod.');
  return { ...failed(gathered, repository ?? '', why), removeJob: true };
}

function failed({ run, now }: GatheredCopies, repository: string, why: string): CopyDecision {
  const attempts = (run.status?.catchUp?.attempts ?? 0) + 1;
  const next =
    attempts >= mostAttempts
      ? 'It is not tried again; when the cause is mended, copy it by hand (docs/copy-backups.md)'
      : `Try ${attempts} of ${mostAttempts}; the next is in ${Math.round(pauseAfter(attempts) / 60_000)} min`;
  const message = `The backup could not be copied to ${repository}: ${why} ${next}.`.slice(0, 1024);
  return {
    ...nothing,
    status: statusWith(run, { catchUp: { repository, attempts, lastTime: rfc3339(now), message } }),
    events: [{ type: 'Warning', reason: 'CopyFailed', action: 'Copy', note: message }],
    lookAgainMilliseconds: attempts >= mostAttempts ? undefined : pauseAfter(attempts),
  };
}

/** Every repository that the policy names has it: by the contract, it is Completed. */
function caughtUp({ run, policy, job, now }: GatheredCopies): CopyDecision {
  // Nobody says any more which repositories are wanted.
  if (policy === undefined) return nothing;
  const stored = (run.status?.repositories ?? []).filter(({ state }) => state === 'Stored').map(({ name }) => name);
  const copied = (run.status?.repositories ?? []).filter(({ reason }) => reason === 'Copied').map(({ name }) => name);
  const later = copied.length === 0 ? '' : `; ${copied.join(', ')} got it later, by copying`;
  const wanted = {
    type: 'Succeeded',
    status: 'True',
    reason: 'CaughtUp',
    message: `The backup is in ${stored.join(', ')}${later}`,
  } as const;
  const before = run.status?.conditions ?? [];
  const conditions = [
    ...conditionsAfter(before, [wanted], run.metadata.generation, now),
    ...before.filter((each) => each.type !== wanted.type && !isStanding(each)),
  ];
  return {
    ...nothing,
    status: statusWith(run, { phase: 'Completed', error: '', conditions }),
    events: [{ type: 'Normal', reason: wanted.reason, action: 'Copy', note: wanted.message }],
    removeJob: job !== undefined,
  };
}

/** As it is, but for what changes: the operator applies all that it owns. */
export function statusWith(run: BackupRun, changes: Partial<BackupRunStatus>): Readonly<Record<string, unknown>> {
  const { phase, conditions, jobName, startTime, completionTime, error, catchUp } = run.status ?? {};
  const present = { phase, conditions, jobName, startTime, completionTime, error, catchUp };
  const known = Object.entries({ ...present, ...changes }).filter(([, value]) => value !== undefined);
  return { observedGeneration: run.metadata.generation, ...Object.fromEntries(known) };
}
