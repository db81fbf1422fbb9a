import type { HookPhase } from '../../../api/hooks.ts';
import { jobTemplate } from '../../../api/job-template.ts';
import type { BackupPolicy, BackupRun } from '../../../api/kinds.ts';
import { findCondition } from '../../../domain/conditions.ts';
import { comingAfter, hasCommands } from '../../../domain/hooks/name.ts';
import { labelValue } from '../../../domain/label-value.ts';
import { labels } from '../../../domain/labels.ts';
import { jobName } from '../../../domain/naming.ts';
import type { HooksTask } from '../../../domain/task.ts';
import type { Desired } from '../../../kube/objects.ts';
import { serverTask } from '../../backup-task.ts';
import { hookWorkOf } from '../../hook-work.ts';
import { type AgentSettings, buildJob, ownerOf, policyLabels } from '../../jobs/build-job.ts';
import { isRefusal, type Refusal, refused } from '../../refusal.ts';

export interface HooksJobParts {
  readonly run: BackupRun;
  readonly policy: BackupPolicy;
  readonly phase: HookPhase;
  readonly outstanding: readonly string[];
  /** Where commands are run in a pod whose name is not known. */
  readonly hosts: readonly string[] | Refusal;
  readonly agent: AgentSettings;
}

const keptSeconds = 3600;
/** For the pod to be scheduled, the image to be pulled, and two more tries. */
const patienceSeconds = 900;

export function hooksJobName({ metadata }: Pick<BackupRun, 'metadata'>): string {
  return jobName('hooks', metadata.name);
}

/** The small Job that runs what the agent of a run has not run of the hooks after it. */
export function buildHooksJob(parts: HooksJobParts): Desired | Refusal {
  const { run, policy, phase, outstanding, agent } = parts;
  const { namespace, name, uid } = run.metadata;
  const hooks = hookWorkOf(policy.spec, agent.execRole);
  const waiting =
    hooks === undefined ? [] : comingAfter(hooks, phase).filter((hook) => outstanding.includes(hook.name));
  if (hooks === undefined || waiting.length === 0)
    return refused('HooksGone', `The BackupPolicy ${policy.metadata.name} does not have them any more.`);
  const schedule = run.metadata.labels?.[labels.schedule];
  const server =
    hasCommands(hooks) && !isRefusal(parts.hosts) ? serverTask(policy.spec.source, parts.hosts) : undefined;
  const task: HooksTask = {
    action: 'hooks',
    namespace,
    policy: { name: policy.metadata.name, uid: policy.metadata.uid },
    run: { name, uid },
    ...(schedule === undefined ? {} : { schedule }),
    method: run.spec.method,
    type: run.spec.type,
    phase,
    reason: findCondition(run.status?.conditions, 'Succeeded')?.reason ?? phase,
    error: run.status?.error ?? '',
    outstanding: waiting.map((hook) => hook.name),
    ...(server === undefined ? {} : { server }),
    hooks,
  };
  const seconds = waiting.reduce((sum, { hook }) => sum + hook.timeoutSeconds, 0);
  const { resources: _, scratch: __, ...template } = policy.spec.jobTemplate;
  const activeDeadlineSeconds = Math.min(3 * seconds + patienceSeconds, 2_592_000);
  const job = buildJob({
    task,
    // As the policy says, but for what a backup needs: an HTTP request has no use for its memory.
    template: { ...jobTemplate.parse({}), ...template, activeDeadlineSeconds },
    agent,
    runName: name,
    labels: { ...policyLabels(policy.metadata.name), [labels.run]: labelValue(name) },
    backoffLimit: 2,
    ttlSecondsAfterFinished: keptSeconds,
  });
  if (isRefusal(job)) return job;
  const metadata = { name: hooksJobName(run), namespace, ...job.metadata, ownerReferences: [ownerOf(run)] };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata, spec: job.spec };
}
