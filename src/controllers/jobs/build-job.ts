import { createHash } from 'node:crypto';
import type { JobTemplate } from '../../api/job-template.ts';
import type { OwnerReference } from '../../api/kinds.ts';
import { labelValue } from '../../domain/label-value.ts';
import { agentServiceAccount, annotations, labels, managedBy } from '../../domain/labels.ts';
import { quantityOf } from '../../domain/quantity.ts';
import { agentEnvironment, agentExit, type Task } from '../../domain/task.ts';
import { jobNameLabel } from '../../kube/workloads.ts';
import { type Refusal, refused } from '../refusal.ts';
import { apiAccess } from './api-access.ts';
import { volumesOf } from './volumes.ts';

/** Of the operator's own configuration: what every agent pod has in common. */
export interface AgentSettings {
  readonly image: string;
  readonly imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly string[];
  /** What the chart brings for hooks that run commands: a role of the cluster, unless it may make none. */
  readonly execRole?: 'ClusterRole' | 'Role';
}

interface JobRequest {
  readonly task: Task;
  readonly template: JobTemplate;
  readonly agent: AgentSettings;
  /** The object that the Job works for; absent for a schedule's Job, whose run has the Job's name. */
  readonly runName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly backoffLimit?: number;
  /** Kept this long after its end; absent: until its owner goes. */
  readonly ttlSecondsAfterFinished?: number;
}

export interface JobParts {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** A pod's environment may hold 128 KiB in one variable; the rest is room for the kernel's own bookkeeping. */
const taskLimit = 100_000;

/** The one builder of every Job that runs an agent: a schedule's, a person's, a restore's, a probe's; or why it cannot be. */
export function buildJob({
  task,
  template,
  agent,
  runName,
  labels: own,
  backoffLimit,
  ttlSecondsAfterFinished,
}: JobRequest): JobParts | Refusal {
  const size = Buffer.byteLength(JSON.stringify(task));
  if (size > taskLimit)
    return refused(
      'TaskTooLarge',
      `What the agent has to be told is ${size} bytes, and ${taskLimit} are possible. Use fewer or shorter patterns, arguments and assertions.`,
    );
  const podLabels = {
    ...withoutOwn(template.labels),
    ...own,
    [labels.action]: task.action,
    [labels.managedBy]: managedBy,
  };
  const spec = {
    backoffLimit: backoffLimit ?? template.backoffLimit,
    activeDeadlineSeconds: template.activeDeadlineSeconds,
    ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }),
    podFailurePolicy,
    template: {
      metadata: { labels: podLabels, annotations: { ...withoutOwn(template.annotations), ...unmoved } },
      spec: podSpec(task, template, agent, runName),
    },
  };
  return { metadata: { labels: podLabels, annotations: { [annotations.taskHash]: hashOf(spec) } }, spec };
}

/** What makes an object of Tidemark's the owner of its Job. */
export function ownerOf(object: {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid: string };
}): OwnerReference {
  const { apiVersion, kind, metadata } = object;
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true };
}

/**
 * A pod that the cluster took away is no failure at all; a fault that a person must mend is not tried again; whatever
 * else (a crash, a pod that was deleted or told to stop) is tried again up to backoffLimit. The first rule that fits counts.
 */
const podFailurePolicy = {
  rules: [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    {
      action: 'FailJob',
      onExitCodes: { containerName: 'agent', operator: 'In', values: [agentExit.terminal] },
    },
  ],
};

/** A backup that is moved to another node begins anew: the autoscalers leave it alone. */
const unmoved = { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false', 'karpenter.sh/do-not-disrupt': 'true' };

function podSpec(
  task: Task,
  template: JobTemplate,
  agent: AgentSettings,
  runName: string | undefined,
): Readonly<Record<string, unknown>> {
  const { volumes, mounts } = volumesOf(task, template);
  const pullSecrets = [...agent.imagePullSecrets.map((name) => ({ name })), ...(template.imagePullSecrets ?? [])];
  return {
    restartPolicy: 'Never',
    serviceAccountName: template.serviceAccountName ?? agentServiceAccount,
    terminationGracePeriodSeconds: 60,
    enableServiceLinks: false,
    automountServiceAccountToken: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
    ...pick(template, 'nodeSelector', 'tolerations', 'affinity', 'priorityClassName'),
    containers: [
      {
        name: 'agent',
        image: agent.image,
        imagePullPolicy: agent.imagePullPolicy,
        env: environment(task, runName),
        resources: resourcesOf(template),
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        terminationMessagePolicy: 'File',
        volumeMounts: [...mounts, apiAccess.mount],
      },
    ],
    volumes: [...volumes, apiAccess.volume],
  };
}

/** By them the operator knows its objects: nobody else's say what a Job is for. */
function withoutOwn(marks: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(marks ?? {}).filter(([key]) => !/^([^/]+\.)?tidemark\.dev\//.test(key)));
}

function environment(task: Task, runName: string | undefined): readonly object[] {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return [
    { name: agentEnvironment.task, value: JSON.stringify(task) },
    field(agentEnvironment.jobName, `metadata.labels['${jobNameLabel}']`),
    field(agentEnvironment.podName, 'metadata.name'),
    field(agentEnvironment.podUID, 'metadata.uid'),
    ...(runName === undefined ? [] : [{ name: agentEnvironment.runName, value: runName }]),
  ];
}

/** Enough for any size of database, since everything streams; a Job without a request would be the first to be evicted. */
function resourcesOf({ resources }: JobTemplate): object {
  return {
    requests: { ...least(defaultRequests, resources?.limits ?? {}), ...resources?.requests },
    limits: { ...most(defaultLimits, resources?.requests ?? {}), ...resources?.limits },
  };
}

type Quantities = Readonly<Record<string, string | number>>;

const defaultRequests: Quantities = { cpu: '100m', memory: '128Mi' };
const defaultLimits: Quantities = { memory: '512Mi' };

/** A default that would go against what the user has said gives way: the API server takes no request above its limit. */
function least(defaults: Quantities, bounds: Quantities): Quantities {
  return combine(defaults, bounds, (quantity, bound) => quantityOf(quantity) > quantityOf(bound));
}

function most(defaults: Quantities, bounds: Quantities): Quantities {
  return combine(defaults, bounds, (quantity, bound) => quantityOf(quantity) < quantityOf(bound));
}

function combine(
  defaults: Quantities,
  bounds: Quantities,
  givesWay: (quantity: string | number, bound: string | number) => boolean,
): Quantities {
  return Object.fromEntries(
    Object.entries(defaults).map(([name, quantity]) => {
      const bound = bounds[name];
      return [name, bound !== undefined && givesWay(quantity, bound) ? bound : quantity];
    }),
  );
}

function pick<Key extends keyof JobTemplate>(template: JobTemplate, ...keys: readonly Key[]): object {
  return Object.fromEntries(keys.flatMap((key) => (template[key] === undefined ? [] : [[key, template[key]]])));
}

export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}

/** The labels of a policy's Jobs, by which its runs are found. */
export function policyLabels(policy: string, schedule?: string): Readonly<Record<string, string>> {
  return { [labels.policy]: labelValue(policy), ...(schedule === undefined ? {} : { [labels.schedule]: schedule }) };
}
