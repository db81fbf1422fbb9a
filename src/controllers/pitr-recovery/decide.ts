import type { PitrRecovery } from '../../api/kinds.ts';
import type { RecoveryPlan } from '../../api/pitr-recovery.ts';
import { type Fate, fateOf } from '../../domain/job-state.ts';
import { runningJobFinalizer } from '../../domain/labels.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import { hasEnded, refusedFate } from '../run-progress.ts';
import { cleanup, end, fail, finalizersOf, finish, next, nothing, unclearPlace } from './conclude.ts';
import {
  type Decision,
  type Gathered,
  hadJob,
  inPlace,
  isRecovered,
  type Step,
  type WorkloadState,
} from './gathered.ts';
import { buildPlanJob, buildRecovery, refusalBefore } from './make-recovery.ts';
import { jobNameOf } from './names.ts';
import { reportOf, stageOf } from './progress.ts';

/** What becomes of a recovery; pure. Each of its two Jobs is made once, and whatever it comes to, it ends. */
export function decide(gathered: Gathered): Decision {
  const { recovery } = gathered;
  if (recovery.metadata.deletionTimestamp !== undefined) return decideDeletion(gathered);
  if (hasEnded(recovery)) return { ...nothing, finalizers: finalizersOf(recovery, false) };
  if (recovery.spec.cancel && !isRecovered(gathered)) return cancel(gathered);
  if (hadJob(recovery, gathered.recoverJob, 'recover')) return followRecovery(gathered);
  if (hadJob(recovery, gathered.planJob, 'plan')) return followPlan(gathered);
  return begin(gathered);
}

/** What becomes of a recovery of which a step could not be done. */
export function decideUndone(gathered: Gathered, why: 'waiting' | Refusal): Decision {
  if (why === 'waiting') return next(gathered, waiting, { lookAgain: 2_000 });
  return refuse(gathered, why);
}

const waiting: Fate = {
  state: 'Pending',
  reason: 'Starting',
  message: 'The Job of an earlier PitrRecovery of its name is being removed',
};
const starting: Fate = { state: 'Running', reason: 'Starting', message: 'Its Job is being made' };
const cancelling: Fate = {
  state: 'Running',
  reason: 'Cancelling',
  message: 'It is being cancelled: the agent ends and takes back what it did',
};

function begin(gathered: Gathered): Decision {
  const refusal = refusalBefore(gathered);
  if (refusal !== undefined) return refuse(gathered, refusal);
  const job = buildPlanJob(gathered);
  if (isRefusal(job)) return refuse(gathered, job);
  const steps = [{ do: 'makeJob', object: job }] as const;
  return next(gathered, starting, { steps, job: jobNameOf(gathered.recovery, 'plan') });
}

function followPlan(gathered: Gathered): Decision {
  const { recovery, planJob } = gathered;
  const name = jobNameOf(recovery, 'plan');
  const fate = fateOf(planJob?.view, reportOf(recovery, name), false);
  if (fate.state === 'Pending' || fate.state === 'Running') {
    const reading = 'The repository is being read: the backup, the WAL to the target, the room';
    return next(gathered, fate.reason === 'Running' ? { ...fate, reason: 'Planning', message: reading } : fate);
  }
  if (fate.state !== 'Completed') return fail(gathered, fate);
  const plan = recovery.status?.plan?.recovery;
  if (plan === undefined) {
    const message = 'The plan was made, and it is not in the status any more. Create a new PitrRecovery.';
    return fail(gathered, { state: 'Failed', reason: 'PlanLost', message });
  }
  return startRecovery(gathered, plan, fate);
}

function startRecovery(gathered: Gathered, plan: RecoveryPlan, planned: Fate): Decision {
  const { recovery, workload } = gathered;
  const refusal = refusalBefore(gathered);
  if (refusal !== undefined) return refuse(gathered, refusal);
  const steps = buildRecovery(gathered, plan);
  if (isRefusal(steps)) return refuse(gathered, steps);
  // Up to here, so that a dry run hears of every refusal.
  if (recovery.spec.dryRun) return end(gathered, { ...planned, reason: 'Planned' });
  if (recovery.spec.target.inPlace !== undefined && workload !== undefined) {
    const scaling = scaleDown(gathered, workload);
    if (scaling !== undefined) return scaling;
  }
  return next(gathered, starting, { steps, job: jobNameOf(recovery, 'recover') });
}

/** First what it had is remembered, then it is scaled, then its pods are waited for; undefined when they are gone. */
function scaleDown(gathered: Gathered, workload: WorkloadState): Decision | undefined {
  const { kind, name, replicas, pods } = workload;
  const remembered = gathered.recovery.status?.replicas;
  const message = `${kind} ${name} is scaled from ${remembered ?? replicas} to 0, so that its data can be recovered in place; it is scaled up again in any case`;
  const fate: Fate = { state: 'Running', reason: 'ScalingDown', message };
  if (remembered === undefined) return next(gathered, fate, { replicas, lookAgain: 500 });
  if (replicas > 0) return next(gathered, fate, { steps: [{ do: 'scale', workload, replicas: 0 }], lookAgain: 1_000 });
  return pods > 0 ? next(gathered, fate, { lookAgain: 1_000 }) : undefined;
}

function followRecovery(gathered: Gathered): Decision {
  const { recovery, recoverJob } = gathered;
  const name = jobNameOf(recovery, 'recover');
  const fate = fateOf(recoverJob?.view, reportOf(recovery, name), false);
  if (fate.state === 'Completed') return finish(gathered, fate);
  if (fate.state !== 'Pending' && fate.state !== 'Running') return fail(gathered, fate);
  const running = fate.reason === 'Running' ? { ...fate, message: workOf(recovery) } : fate;
  return keepDown(gathered, running) ?? next(gathered, running, inPlace(recovery) ? { lookAgain: 5_000 } : {});
}

/** A controller of the user's that scales the workload up in the middle would start a server on half a directory. */
function keepDown(gathered: Gathered, fate: Fate): Decision | undefined {
  const { recovery, workload } = gathered;
  if (!inPlace(recovery) || workload === undefined || workload.replicas === 0) return undefined;
  const note = `${workload.kind} ${workload.name} was scaled to ${workload.replicas} while its data is being recovered, and is scaled to 0 again. Suspend what scales it (an autoscaler, a GitOps controller) until the recovery has ended.`;
  const decision = next(gathered, fate, { steps: [{ do: 'scale', workload, replicas: 0 }], lookAgain: 1_000 });
  const event = { type: 'Warning', reason: 'ScaledUpMeanwhile', action: 'Recover', note } as const;
  return { ...decision, events: [...decision.events, event] };
}

function workOf(recovery: PitrRecovery): string {
  switch (stageOf(recovery)) {
    case 'RestoringBase':
      return 'The base backup is being laid';
    case 'ReplayingWal':
      return 'The server replays WAL';
    case 'Checking':
      return 'The recovered server is questioned and shut down';
    default:
      return 'The agent is at work';
  }
}

function cancel(gathered: Gathered): Decision {
  const running = runningJobs(gathered);
  if (running.length > 0) return next(gathered, cancelling, { steps: running, lookAgain: 1_000 });
  return fail(gathered, {
    state: 'Cancelled',
    reason: 'Cancelled',
    message: 'It was cancelled, and what it had made was removed',
  });
}

function runningJobs({ planJob, recoverJob }: Gathered): readonly Step[] {
  return [planJob, recoverJob].flatMap((found) =>
    found === undefined || found.view.finished !== undefined
      ? []
      : [{ do: 'remove', kind: 'Job', name: found.job.metadata.name, uid: found.job.metadata.uid } as const],
  );
}

/** What may come is waited for, unless something stands still meanwhile: then it is an end like any other. */
function refuse(gathered: Gathered, refusal: Refusal): Decision {
  const fate = refusedFate(refusal, gathered.recovery, gathered.now);
  if (fate.state === 'Failed') return fail(gathered, fate);
  return next(gathered, fate, { lookAgain: 5_000 });
}

function decideDeletion(gathered: Gathered): Decision {
  const { recovery, activePods } = gathered;
  const present = recovery.metadata.finalizers ?? [];
  const held = { ...nothing, finalizers: present, lookAgainMilliseconds: 1_000 };
  const running = runningJobs(gathered);
  if (running.length > 0) return { ...held, steps: running };
  if (activePods.length > 0) return held;
  const released = { ...nothing, finalizers: finalizersOf(recovery, false) };
  if (hasEnded(recovery) || !present.includes(runningJobFinalizer)) return released;
  if (isRecovered(gathered)) return { ...released, steps: finish(gathered, recovered).steps };
  const unclear = unclearPlace(gathered);
  if (unclear === undefined) return { ...released, steps: cleanup(gathered) };
  return { ...released, events: [{ type: 'Warning', reason: 'PlaceUnclear', action: 'Recover', note: unclear }] };
}

const recovered: Fate = { state: 'Completed', reason: 'Recovered', message: '' };
