import type { BackupRepository, BackupRun } from '../../api/kinds.ts';
import { placeOf } from '../../domain/catalogue/place.ts';
import type { NewCondition } from '../../domain/conditions.ts';
import { annotations } from '../../domain/labels.ts';
import { afterWrongClock, isYetToCome } from '../../domain/yet-to-come.ts';
import type { EventNote } from '../../kube/events.ts';
import type { Desired } from '../../kube/objects.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import { buildSyncJob, type SyncParts } from './build-sync-job.ts';
import { catalogueSynced, eventsOfSync, lastWord } from './judge.ts';

export interface GatheredSync extends SyncParts {
  /** The agent's probe of this generation has succeeded. */
  readonly isReady: boolean;
  /** The last Job, or the one that runs. */
  readonly job: FoundJob | undefined;
  /** That have something in this repository. */
  readonly runs: readonly BackupRun[];
  /** Why the Job could not be made. */
  readonly rejection?: Refusal | undefined;
  readonly now: Date;
}

export interface SyncDecision {
  readonly create: Desired | undefined;
  /** It ended and makes room for the next, or goes by what the spec says no more. */
  readonly removeJob: boolean;
  readonly condition: NewCondition | undefined;
  readonly events: readonly EventNote[];
  readonly lookAgainMilliseconds: number | undefined;
}

/** Milliseconds. */
const syncAgainAfter = 3_600_000;
const tryAgainAfter = 600_000;
const deepAgainAfter = 86_400_000;
/** Between two syncs for holds that were set or taken back. */
const holdsPause = 30_000;
const makeRoom = 2_000;
/** As many objects as a store lists in twenty requests are listed each time. */
const cheapObjects = 20_000;

/** Whether the catalogue is to be read now; pure. One Job at a time. */
export function decideSync(gathered: GatheredSync): SyncDecision {
  const { job, isReady, repository, now } = gathered;
  const condition = catalogueSynced(gathered);
  const events = eventsOfSync(gathered, condition);
  const said: SyncDecision = {
    create: undefined,
    removeJob: false,
    condition,
    events,
    lookAgainMilliseconds: undefined,
  };
  const isActive = job !== undefined && job.view.finished === undefined;
  if (isActive) return { ...said, removeJob: !isOfThisPlace(job, repository) };
  // What was there stays told; a repository that cannot be reached has lost nothing.
  if (!isReady) return said;
  // Its last words are on their way.
  if (job !== undefined && lastWord(gathered) === undefined) return { ...said, lookAgainMilliseconds: makeRoom };
  const wait = dueAt(gathered) - now.getTime();
  if (wait > 0) return { ...said, lookAgainMilliseconds: wait };
  if (job !== undefined) return { ...said, removeJob: true, lookAgainMilliseconds: makeRoom };
  const made = buildSyncJob(gathered, depthOf(gathered));
  if (isRefusal(made)) return { ...said, condition: catalogueSynced({ ...gathered, rejection: made }) };
  return { ...said, create: made };
}

/** Milliseconds since 1970. */
function dueAt(gathered: GatheredSync): number {
  const { repository, runs, job, now } = gathered;
  const { catalogue = {} } = repository.status ?? {};
  if (isAsked(repository)) return 0;
  const word = lastWord(gathered);
  const endedAt = Date.parse(word?.completionTime ?? catalogue.completionTime ?? '');
  if (isYetToCome(endedAt, now)) return afterWrongClock(job?.view.finished?.time, tryAgainAfter, now);
  if (word !== undefined && word.outcome !== 'Succeeded' && catalogue.generation === repository.metadata.generation)
    return (Number.isNaN(endedAt) ? now.getTime() : endedAt) + tryAgainAfter;
  if (catalogue.completionTime === undefined || catalogue.place !== placeOf(repository.spec)) return 0;
  const lastAt = Date.parse(catalogue.completionTime);
  if (isYetToCome(lastAt, now)) return afterWrongClock(job?.view.finished?.time, tryAgainAfter, now);
  if (hasUntoldHold(repository, runs)) return lastAt + holdsPause;
  return lastAt + syncAgainAfter;
}

function isAsked({ metadata, status }: BackupRepository): boolean {
  const requested = metadata.annotations?.[annotations.sync]?.slice(0, 1024);
  return requested !== undefined && requested !== status?.catalogue?.requested;
}

/** Where nothing may be written, a hold stays in this cluster alone. */
function hasUntoldHold({ metadata, spec }: BackupRepository, runs: readonly BackupRun[]): boolean {
  if (spec.accessMode === 'ReadOnly') return false;
  return runs.some(({ spec: { hold }, status }) =>
    (status?.repositories ?? []).some(
      ({ name, state, path, held = false }) =>
        name === metadata.name && state === 'Stored' && path !== undefined && held !== hold,
    ),
  );
}

function depthOf({ repository, now }: GatheredSync): 'Deep' | 'Shallow' {
  const { deepTime, objects = 0, place } = repository.status?.catalogue ?? {};
  if (deepTime === undefined || isAsked(repository) || place !== placeOf(repository.spec)) return 'Deep';
  return objects <= cheapObjects || now.getTime() - Date.parse(deepTime) >= deepAgainAfter ? 'Deep' : 'Shallow';
}

/** By the task that stands in the Job. */
function isOfThisPlace({ job }: FoundJob, { spec }: BackupRepository): boolean {
  const place = job.metadata.annotations?.[annotations.place];
  return place === undefined || place === placeOf(spec);
}
