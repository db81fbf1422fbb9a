import type { AgentReport } from '../api/report.ts';

/** A Job and its pods, in so far as a run's fate depends on them. */
export interface JobView {
  readonly finished?: {
    readonly outcome: 'Complete' | 'Failed';
    readonly reason: string;
    readonly message: string;
    readonly time: string;
  };
  readonly startTime?: string;
  readonly pods: readonly PodView[];
}

export interface PodView {
  readonly name: string;
  readonly phase: string;
  readonly createdAt: string;
  /** It is being removed: what its containers wait for says no more why they did not start. */
  readonly leaving?: true;
  /** Why the pod does not start: an image that cannot be pulled, a claim that is missing, no node with room. */
  readonly trouble?: { readonly reason: string; readonly message: string };
  /** The agent's last word as the kubelet kept it, where the status did not get it. */
  readonly termination?: Pick<AgentReport, 'outcome' | 'reason' | 'message'>;
  readonly exit?: { readonly code: number; readonly reason: string };
}

export type Fate =
  | {
      readonly state: 'Pending';
      readonly reason: string;
      readonly message: string;
      /** There is no pod, or one that goes, or of which nobody knows how it ended: what was known before holds on. */
      readonly unexplained?: true;
    }
  | {
      readonly state: 'Running';
      readonly reason: string;
      readonly message: string;
      readonly since?: string;
      readonly unexplained?: true;
    }
  | {
      readonly state: 'Completed' | 'Failed' | 'Cancelled';
      readonly reason: string;
      readonly message: string;
      readonly at?: string;
    };

/**
 * What has become of a run, from its Job, its pods and the agent's report. The Job's end decides; the report explains it.
 * A Job that is gone is judged by the report alone: one that says how it ended is believed, else the run has failed.
 */
export function fateOf(job: JobView | undefined, report: AgentReport | undefined, cancelled: boolean): Fate {
  const lastWord = report !== undefined && report.outcome !== 'Running' ? report : latestTermination(job);
  if (job === undefined) return fateWithoutJob(lastWord, cancelled);
  if (job.finished?.outcome === 'Complete') return fateOfCompleteJob(lastWord, job.finished.time);
  if (job.finished !== undefined) return fateOfFailedJob(job, job.finished, lastWord, cancelled);
  return fateOfActiveJob(job, report);
}

function fateWithoutJob(lastWord: LastWord | undefined, cancelled: boolean): Fate {
  if (lastWord?.outcome === 'Succeeded')
    return { state: 'Completed', reason: lastWord.reason, message: lastWord.message };
  if (cancelled || lastWord?.outcome === 'Cancelled')
    return { state: 'Cancelled', reason: 'Cancelled', message: 'It was cancelled' };
  if (lastWord?.outcome === 'Failed') return { state: 'Failed', reason: lastWord.reason, message: lastWord.message };
  const message =
    'Its Job is gone and its agent did not say how it ended, so it counts as failed. What it wrote without finishing is swept by the next backup; start another one.';
  return { state: 'Failed', reason: 'JobLost', message };
}

function fateOfCompleteJob(lastWord: LastWord | undefined, at: string): Fate {
  if (lastWord?.outcome === 'Succeeded')
    return { state: 'Completed', reason: lastWord.reason, message: lastWord.message, at };
  const message =
    "Its Job completed, but its agent left no report: what it did is not known, so it counts as failed. Look at the Job's log, and start another one.";
  return { state: 'Failed', reason: 'NoReport', message, at };
}

type LastWord = Pick<AgentReport, 'outcome' | 'reason' | 'message'>;

function fateOfFailedJob(
  job: JobView,
  end: NonNullable<JobView['finished']>,
  lastWord: LastWord | undefined,
  cancelled: boolean,
): Fate {
  const at = end.time;
  if (lastWord?.outcome === 'Succeeded')
    return { state: 'Completed', reason: lastWord.reason, message: lastWord.message, at };
  if (end.reason === 'DeadlineExceeded') {
    const trouble = job.pods.find((pod) => pod.trouble !== undefined)?.trouble;
    const cause = trouble === undefined ? '' : ` Its pod did not start: ${trouble.message}`;
    const message = `It did not end within jobTemplate.activeDeadlineSeconds and was stopped.${cause} Raise the deadline, or find out what it waited for.`;
    return { state: 'Failed', reason: 'DeadlineExceeded', message, at };
  }
  if (cancelled) return { state: 'Cancelled', reason: 'Cancelled', message: 'It was cancelled', at };
  if (lastWord?.outcome === 'Failed')
    return { state: 'Failed', reason: lastWord.reason, message: lastWord.message, at };
  if (lastWord?.outcome === 'Cancelled') {
    const message =
      'Its pod was stopped from outside (by an eviction, a drained node or a person) before it was done. Start another one.';
    return { state: 'Failed', reason: 'Stopped', message, at };
  }
  return { state: 'Failed', ...silentEnd(job, end), at };
}

/** The agent could not say why: the kubelet may. */
function silentEnd(
  job: JobView,
  end: NonNullable<JobView['finished']>,
): { readonly reason: string; readonly message: string } {
  const exit = newest(job.pods)?.exit;
  if (exit?.reason === 'OOMKilled') {
    return {
      reason: 'OutOfMemory',
      message:
        'The agent was killed because it used more memory than jobTemplate.resources.limits.memory allows. Raise it.',
    };
  }
  const code = exit === undefined ? '' : ` Its container ended with exit code ${exit.code} (${exit.reason}).`;
  return {
    reason: end.reason || 'JobFailed',
    message: `Its Job failed: ${end.message}.${code} Look at the log of its pod.`,
  };
}

function fateOfActiveJob(job: JobView, report: AgentReport | undefined): Fate {
  const pod = newest(job.pods);
  if (pod?.trouble !== undefined) return { state: 'Pending', ...pod.trouble };
  if (pod?.phase === 'Running') {
    return {
      state: 'Running',
      reason: 'Running',
      message: 'The agent is at work',
      ...(job.startTime === undefined ? {} : { since: job.startTime }),
    };
  }
  if (pod?.phase === 'Succeeded') {
    return {
      state: 'Running',
      reason: 'Finishing',
      message: 'The agent is done; its Job is being closed',
      ...(job.startTime === undefined ? {} : { since: job.startTime }),
    };
  }
  const failure = lastFailure(job, report);
  if (failure !== undefined) {
    return {
      state: 'Running',
      reason: 'Retrying',
      message: `The last try failed and another follows: ${failure.says}`,
      ...(job.startTime === undefined ? {} : { since: job.startTime }),
      ...(failure.known ? {} : { unexplained: true }),
    };
  }
  return { state: 'Pending', reason: 'Starting', ...startOf(pod) };
}

function startOf(pod: PodView | undefined): { readonly message: string; readonly unexplained?: true } {
  if (pod === undefined)
    return {
      message:
        'Its Job has made no pod yet; if it stays so, a quota or a policy of the cluster may forbid it: look at the Events of the Job',
      unexplained: true,
    };
  if (pod.leaving) return { message: 'Its pod is being removed before it has started', unexplained: true };
  return { message: 'Its pod is being started' };
}

/** How the try before this one ended, if there was one. The kubelet's own ContainerStatusUnknown is no knowledge. */
function lastFailure(
  job: JobView,
  report: AgentReport | undefined,
): { readonly says: string; readonly known: boolean } | undefined {
  if (report?.outcome === 'Failed' || report?.outcome === 'Cancelled') return { says: report.message, known: true };
  const failed = newest(job.pods.filter(({ phase }) => phase === 'Failed'));
  if (failed === undefined) return undefined;
  if (failed.termination !== undefined) return { says: failed.termination.message, known: true };
  if (failed.exit === undefined) return { says: `pod ${failed.name} failed`, known: false };
  const { code, reason } = failed.exit;
  const says = `pod ${failed.name} ended with exit code ${code} (${reason})`;
  return { says, known: reason !== 'ContainerStatusUnknown' };
}

/** Of the newest pod alone: what an earlier try said does not explain the end of the last one. */
function latestTermination(job: JobView | undefined): LastWord | undefined {
  return newest(job?.pods ?? [])?.termination;
}

function newest(pods: readonly PodView[]): PodView | undefined {
  return [...pods].sort((a, b) => a.createdAt.localeCompare(b.createdAt)).at(-1);
}
