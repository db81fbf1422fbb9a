import { z } from 'zod';
import type { JobView, PodView } from '../../domain/job-state.ts';
import type { Job, Pod } from '../../kube/workloads.ts';

/** A Job and its pods as domain/job-state.ts judges them. */
export function viewJob(job: Job, pods: readonly Pod[]): JobView {
  const end = job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  return {
    ...(end === undefined
      ? {}
      : {
          finished: {
            outcome: end.type as 'Complete' | 'Failed',
            reason: end.reason ?? '',
            message: end.message ?? '',
            time: end.lastTransitionTime ?? '',
          },
        }),
    ...(job.status?.startTime === undefined ? {} : { startTime: job.status.startTime }),
    pods: pods.map(viewPod),
  };
}

/** A pod that still has something to do, or to clean up. */
export function isActive(pod: Pod): boolean {
  return pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';
}

function viewPod(pod: Pod): PodView {
  const agent = pod.status?.containerStatuses?.find(({ name }) => name === 'agent');
  const trouble = troubleOf(pod);
  const terminated = agent?.state?.terminated;
  const termination = terminated?.message === undefined ? undefined : lastWord(terminated.message);
  return {
    name: pod.metadata.name,
    phase: pod.status?.phase ?? 'Pending',
    createdAt: pod.metadata.creationTimestamp,
    ...(pod.metadata.deletionTimestamp === undefined ? {} : { leaving: true }),
    ...(trouble === undefined ? {} : { trouble }),
    ...(termination === undefined ? {} : { termination }),
    ...(terminated === undefined ? {} : { exit: { code: terminated.exitCode, reason: terminated.reason ?? '' } }),
  };
}

/** Waits that a person may have to end; ContainerCreating is none. */
export const troubles: ReadonlySet<string> = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

function troubleOf(pod: Pod): { readonly reason: string; readonly message: string } | undefined {
  for (const { name, state } of pod.status?.containerStatuses ?? []) {
    const { reason, message } = state?.waiting ?? {};
    if (reason === undefined || !troubles.has(reason)) continue;
    const whose = name === 'agent' ? "The agent's container" : `Container ${name}`;
    return { reason, message: `${whose} does not start: ${message ?? reason}` };
  }
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status !== 'False') return undefined;
  const { reason = 'Unschedulable', message = '' } = scheduled;
  return missingClaim(message) ?? { reason, message: `No node takes the pod: ${message}` };
}

/** The scheduler is the one that says so: the operator may not read claims. */
function missingClaim(message: string): { readonly reason: string; readonly message: string } | undefined {
  const [, claim] = /persistentvolumeclaim "([^"]+)" not found/.exec(message) ?? [];
  if (claim === undefined) return undefined;
  return {
    reason: 'VolumeMissing',
    message: `There is no PersistentVolumeClaim ${claim}. Create it, and the pod that waits for it starts; or correct the claim's name.`,
  };
}

const terminationMessage = z.object({
  outcome: z.enum(['Succeeded', 'Failed', 'Cancelled']),
  reason: z.string(),
  message: z.string(),
});

/** The agent writes it as JSON, itself or in `report`; anything else in it (a crash's last lines) is no report. */
function lastWord(message: string): PodView['termination'] | undefined {
  try {
    const parsed: unknown = JSON.parse(message);
    const nested = z.object({ report: terminationMessage }).safeParse(parsed);
    return nested.success ? nested.data.report : terminationMessage.safeParse(parsed).data;
  } catch {
    return undefined;
  }
}
