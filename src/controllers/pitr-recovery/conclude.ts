import type { PitrRecovery } from '../../api/kinds.ts';
import { rfc3339 } from '../../domain/conditions.ts';
import type { Fate } from '../../domain/job-state.ts';
import { runningJobFinalizer } from '../../domain/labels.ts';
import { isRefusal } from '../refusal.ts';
import { type Decision, type Gathered, hadJob, inPlace, type Step } from './gathered.ts';
import { jobNameOf } from './names.ts';
import { type RecoveryStatus, recoveryEvents, recoveryStatus, reportOf, stageOf } from './progress.ts';
import { portOf } from './surroundings.ts';

export const nothing: Decision = {
  finalizers: [],
  steps: [],
  status: undefined,
  events: [],
  lookAgainMilliseconds: undefined,
};
const stopping: Fate = {
  state: 'Running',
  reason: 'Stopping',
  message: 'Its Job has ended, and its pod is cleaning up',
};
/** From the end of the recovery until its server must answer; after that a person has to look. */
const readyPatience = 15 * 60_000;

/** The data is recovered: now it gets its server, or, where nobody wanted it to stay, it goes. */
export function finish(gathered: Gathered, fate: Fate): Decision {
  const { recovery, workload, activePods, now } = gathered;
  const { spec, status } = recovery;
  if (activePods.length > 0) return next(gathered, stopping, { lookAgain: 1_000 });
  if (spec.target.ephemeral !== undefined || spec.extract !== undefined)
    return end(gathered, fate, { steps: cleanup(gathered) });
  const wanted = inPlace(recovery) ? (status?.replicas ?? 1) : 1;
  if (workload === undefined) {
    const message = 'The data is recovered, and the workload that was to have it is gone: somebody has removed it.';
    return end(gathered, { state: 'Failed', reason: 'ServerGone', message });
  }
  const { kind, name, replicas, ready } = workload;
  const endpoint = endpointOf(gathered);
  if (replicas === wanted && (ready || wanted === 0)) return end(gathered, fate, { endpoint });
  const since = Date.parse(('at' in fate ? fate.at : undefined) || status?.report?.completionTime || rfc3339(now));
  if (replicas === wanted && now.getTime() - since > readyPatience) {
    const message = `The data is recovered, but ${kind} ${name} is not ready a quarter of an hour later. Everything is left as it is: look at its pods and their logs.`;
    return end(gathered, { state: 'Failed', reason: 'ServerNotReady', message });
  }
  const message = `The data is recovered, and ${kind} ${name} is being started`;
  const steps = replicas === wanted ? [] : [{ do: 'scale', workload, replicas: wanted } as const];
  const starts: Fate = { state: 'Running', reason: 'StartingServer', message };
  return next(gathered, starts, { steps, lookAgain: 1_000, stage: 'Checking' });
}

function endpointOf({ recovery, surroundings }: Gathered): RecoveryStatus['endpoint'] {
  const { instance } = recovery.spec.target;
  if (instance === undefined || surroundings === undefined || isRefusal(surroundings)) return undefined;
  return { service: instance.name, port: portOf(surroundings) };
}

/** Every end that is none of success: nothing of it stays, and a workload that was scaled down comes back. */
export function fail(gathered: Gathered, fate: Fate): Decision {
  if (gathered.activePods.length > 0) return next(gathered, stopping, { lookAgain: 1_000 });
  const unclear = unclearPlace(gathered);
  if (unclear === undefined) return end(gathered, fate, { steps: cleanup(gathered) });
  return end(gathered, { ...fate, message: `${fate.message} ${unclear}` });
}

/**
 * In place: an agent that was killed without a word, or that says so itself, may have left the directory half-made; no
 * server may start on that.
 */
export function unclearPlace({ recovery, recoverJob, workload }: Gathered): string | undefined {
  if (!inPlace(recovery) || recovery.status?.replicas === undefined) return undefined;
  const report = reportOf(recovery, jobNameOf(recovery, 'recover'));
  const last = [...(recoverJob?.view.pods ?? [])].sort((a, b) => a.createdAt.localeCompare(b.createdAt)).at(-1);
  const told = report !== undefined && report.outcome !== 'Running' && (last === undefined || last.name === report.pod);
  const word = told ? report : last?.termination;
  const began = report !== undefined || last?.exit !== undefined;
  if (word === undefined ? !began : word.reason !== 'PlaceUnclear') return undefined;
  return `It is not certain that the old data directory is back, so ${workload?.kind ?? 'the workload'} ${workload?.name ?? ''} stays at 0 replicas. Create a new PitrRecovery in place: it brings the old one back before it does anything; or look at the volume, where the old one is beside the new with .before-${recovery.metadata.name} at the end of its name. Scale to ${recovery.status.replicas} yourself afterwards.`;
}

export function cleanup({ recovery, namesakes, workload }: Gathered): readonly Step[] {
  if (inPlace(recovery)) {
    const replicas = recovery.status?.replicas;
    if (replicas === undefined || workload === undefined || workload.replicas === replicas) return [];
    return [{ do: 'scale', workload, replicas }];
  }
  return namesakes.filter(({ own }) => own).map(({ kind, name, uid }) => ({ do: 'remove', kind, name, uid }));
}

interface Extras {
  readonly steps?: readonly Step[];
  readonly job?: string;
  readonly replicas?: number;
  readonly stage?: RecoveryStatus['phase'];
  readonly lookAgain?: number;
  readonly endpoint?: RecoveryStatus['endpoint'];
}

export function end(gathered: Gathered, fate: Fate, extras: Extras = {}): Decision {
  const { lookAgainMilliseconds: _, ...decision } = next(gathered, fate, extras);
  return { ...decision, finalizers: finalizersOf(gathered.recovery, false), lookAgainMilliseconds: undefined };
}

export function next({ recovery, recoverJob, planJob, now }: Gathered, fate: Fate, extras: Extras = {}): Decision {
  const { steps = [], endpoint, lookAgain } = extras;
  const known = recoverJob ?? planJob;
  const jobName = extras.job ?? known?.job.metadata.name ?? recovery.status?.jobName;
  const stage = extras.stage ?? (hadJob(recovery, recoverJob, 'recover') ? stageOf(recovery) : 'Preparing');
  const facts = { jobName, stage, replicas: extras.replicas ?? recovery.status?.replicas, endpoint };
  const status = recoveryStatus(recovery, fate, facts, now);
  return {
    finalizers: finalizersOf(recovery, true),
    steps,
    status,
    events: recoveryEvents(recovery, status),
    lookAgainMilliseconds: lookAgain,
  };
}

export function finalizersOf({ metadata }: PitrRecovery, active: boolean): readonly string[] {
  const foreign = (metadata.finalizers ?? []).filter((name) => name !== runningJobFinalizer);
  return active ? [...foreign, runningJobFinalizer] : foreign;
}
