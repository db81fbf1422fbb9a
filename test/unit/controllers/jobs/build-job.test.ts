import { describe, expect, test } from 'vitest';
import { type JobTemplate, jobTemplate } from '../../../../src/api/job-template.ts';
import { backupTask } from '../../../../src/controllers/backup-task.ts';
import { buildJob, type JobParts } from '../../../../src/controllers/jobs/build-job.ts';
import { isRefusal } from '../../../../src/controllers/refusal.ts';
import type { BackupTask } from '../../../../src/domain/task.ts';
import { agent, policy, repository } from '../objects.ts';

const task = backupTask({
  policy: policy(),
  repositories: [repository()],
  hosts: ['db.example'],
  method: 'Logical',
}) as BackupTask;

function build(template: unknown = {}, parts: Partial<Parameters<typeof buildJob>[0]> = {}): JobParts {
  const request = { task, template: jobTemplate.parse(template), agent, labels: {}, ...parts };
  const job = buildJob(request);
  if (isRefusal(job)) throw new Error(job.message);
  return job;
}

interface Pod {
  readonly metadata: { readonly labels: object; readonly annotations: object };
  readonly spec: Readonly<Record<string, unknown>> & { readonly containers: readonly Record<string, unknown>[] };
}
const podOf = ({ spec }: JobParts) => spec.template as Pod;
const agentOf = (job: JobParts) => podOf(job).spec.containers[0] ?? {};
const resources = (given: JobTemplate['resources']) => agentOf(build({ resources: given })).resources;

test('a pod keeps to the restricted Pod Security Standard', () => {
  const { spec } = podOf(build());
  expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  expect(spec.containers).toHaveLength(1);
  expect(agentOf(build()).securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  for (const field of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers']) expect(spec).not.toHaveProperty(field);
});

test('a disruption is no failure, a fault that a person must mend ends the Job', () => {
  expect(build().spec).toMatchObject({
    backoffLimit: 2,
    activeDeadlineSeconds: 86_400,
    podFailurePolicy: {
      rules: [
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        { action: 'FailJob', onExitCodes: { containerName: 'agent', operator: 'In', values: [3] } },
      ],
    },
  });
  // The API server takes a podFailurePolicy only with this.
  expect(podOf(build()).spec.restartPolicy).toBe('Never');
});

test('what the user says about pods is passed on', () => {
  const template = {
    nodeSelector: { disk: 'fast' },
    tolerations: [{ key: 'dedicated', operator: 'Exists' }],
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] } },
    priorityClassName: 'low',
    serviceAccountName: 'other',
    imagePullSecrets: [{ name: 'registry' }],
    backoffLimit: 0,
    activeDeadlineSeconds: 600,
  };
  const job = build(template, { agent: { ...agent, imagePullSecrets: ['operators'] } });
  const { nodeSelector, tolerations, affinity, priorityClassName, serviceAccountName } = template;
  expect(podOf(job).spec).toMatchObject({
    nodeSelector,
    tolerations,
    affinity,
    priorityClassName,
    serviceAccountName,
    imagePullSecrets: [{ name: 'operators' }, { name: 'registry' }],
  });
  expect(job.spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 600 });
});

test('the user’s labels and annotations are there, and override none of Tidemark’s', () => {
  const mine = { 'tidemark.dev/action': 'x', 'tidemark.dev/run': 'x', 'app.kubernetes.io/managed-by': 'x', team: 'a' };
  const job = build(
    { labels: mine, annotations: { note: 'n', 'karpenter.sh/do-not-disrupt': 'false' } },
    { labels: { 'tidemark.dev/run': 'by-hand' } },
  );
  const labels = {
    team: 'a',
    'tidemark.dev/action': 'backup',
    'tidemark.dev/run': 'by-hand',
    'app.kubernetes.io/managed-by': 'tidemark',
  };
  expect(podOf(job).metadata.labels).toEqual(labels);
  expect(job.metadata.labels).toEqual(labels);
  expect(podOf(job).metadata.annotations).toMatchObject({ note: 'n', 'karpenter.sh/do-not-disrupt': 'true' });
});

test('the agent gets its task, and a hand-made run’s name', () => {
  const env = (job: JobParts) => agentOf(job).env as readonly { readonly name: string; readonly value?: string }[];
  const value = (job: JobParts, name: string) => env(job).find((each) => each.name === name)?.value;
  expect(JSON.parse(value(build(), 'TIDEMARK_TASK') ?? '')).toEqual(task);
  expect(value(build({}, { runName: 'by-hand' }), 'TIDEMARK_RUN_NAME')).toBe('by-hand');
  expect(env(build()).map(({ name }) => name)).not.toContain('TIDEMARK_RUN_NAME');
});

test('a task that no environment holds is refused', () => {
  const include = Array.from({ length: 1000 }, (_, index) => `${index}${'x'.repeat(120)}`);
  const large = { ...task, logical: { ...task.logical, schemas: { include, exclude: [] } } } as unknown as BackupTask;
  expect(buildJob({ task: large, template: jobTemplate.parse({}), agent, labels: {} })).toMatchObject({
    reason: 'TaskTooLarge',
    mayCome: false,
  });
});

describe('resources', () => {
  test('have defaults', () => {
    expect(resources(undefined)).toEqual({ requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } });
  });

  test('are the user’s where given', () => {
    expect(resources({ requests: { cpu: 2, memory: '256Mi' }, limits: { memory: '1Gi', cpu: 4 } })).toEqual({
      requests: { cpu: 2, memory: '256Mi' },
      limits: { memory: '1Gi', cpu: 4 },
    });
  });

  test('never ask for more than their limit, which the API server would refuse', () => {
    expect(resources({ requests: { memory: '1Gi' } })).toMatchObject({ limits: { memory: '1Gi' } });
    expect(resources({ limits: { memory: '64Mi', cpu: '50m' } })).toMatchObject({
      requests: { memory: '64Mi', cpu: '50m' },
    });
  });
});

test('the hash changes with the Job, and with nothing else', () => {
  const hash = (job: JobParts) => job.metadata.annotations['tidemark.dev/task-hash'];
  expect(hash(build())).toBe(hash(build()));
  expect(hash(build({ backoffLimit: 1 }))).not.toBe(hash(build()));
});

test('the token of the service account is the agent’s alone', () => {
  const { spec } = podOf(build());
  expect(spec.automountServiceAccountToken).toBe(false);
  expect(spec.volumes).toContainEqual(expect.objectContaining({ name: 'api-access' }));
  expect(agentOf(build()).volumeMounts).toContainEqual({
    name: 'api-access',
    mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
    readOnly: true,
  });
});

test('labels and annotations that are Tidemark’s own are not the user’s to give', () => {
  const mine = { 'tidemark.dev/recovery': 'x', 'x.tidemark.dev/y': 'x', team: 'a' };
  const { metadata } = podOf(build({ labels: mine, annotations: { 'tidemark.dev/users': 'root', note: 'n' } }));
  expect(metadata.labels).not.toHaveProperty('tidemark.dev/recovery');
  expect(metadata.labels).toMatchObject({ team: 'a' });
  expect(metadata.annotations).not.toHaveProperty('tidemark.dev/users');
  expect(metadata.annotations).toMatchObject({ note: 'n' });
});
