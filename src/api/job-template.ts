import { z } from 'zod';
import { formed, integer, labelName, list, listMap, localRef, mapOf, objectName, quantity, text } from './schema.ts';

const quantities = mapOf(quantity, 16);
const labelValue = formed(
  '^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$',
  63,
  "must be a label's value: letters, digits, - _ .",
  0,
);
const labels = mapOf(labelValue, 64);

const resources = z.object({ requests: quantities.optional(), limits: quantities.optional() });

const toleration = z.object({
  key: text(317).optional(),
  operator: z.enum(['Exists', 'Equal']).optional(),
  value: text(63).optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: integer(0, 2_147_483_647).optional(),
});

const nodeRequirement = z.object({
  key: text(317, 1),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']),
  values: list(text(63), 64).optional(),
});
const nodeSelectorTerm = z.object({
  matchExpressions: list(nodeRequirement, 16).optional(),
  matchFields: list(nodeRequirement, 16).optional(),
});
const weight = integer(1, 100);
const nodeAffinity = z.object({
  requiredDuringSchedulingIgnoredDuringExecution: z
    .object({ nodeSelectorTerms: list(nodeSelectorTerm, 16, 1) })
    .optional(),
  preferredDuringSchedulingIgnoredDuringExecution: list(
    z.object({ weight, preference: nodeSelectorTerm }),
    16,
  ).optional(),
});

const labelRequirement = z.object({
  key: text(317, 1),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
  values: list(text(63), 64).optional(),
});
const labelSelector = z.object({
  matchLabels: labels.optional(),
  matchExpressions: list(labelRequirement, 16).optional(),
});
const podAffinityTerm = z.object({
  labelSelector: labelSelector.optional(),
  topologyKey: text(317, 1),
  namespaces: list(labelName, 16).optional(),
  namespaceSelector: labelSelector.optional(),
});
const podAffinity = z.object({
  requiredDuringSchedulingIgnoredDuringExecution: list(podAffinityTerm, 16).optional(),
  preferredDuringSchedulingIgnoredDuringExecution: list(z.object({ weight, podAffinityTerm }), 16).optional(),
});

/** What a user may say about the pods that Tidemark's Jobs run; the names are those of a PodSpec and a JobSpec. */
export const jobTemplate = z.object({
  resources: resources.optional(),
  nodeSelector: labels.optional(),
  tolerations: list(toleration, 32).optional(),
  affinity: z
    .object({
      nodeAffinity: nodeAffinity.optional(),
      podAffinity: podAffinity.optional(),
      podAntiAffinity: podAffinity.optional(),
    })
    .optional(),
  priorityClassName: objectName.optional(),
  annotations: mapOf(text(4096), 64).optional(),
  labels: labels.optional(),
  imagePullSecrets: listMap(localRef, 'name', 16).optional(),
  /** Must carry the label tidemark.dev/agent=true: a policy's author may not borrow any account of the namespace. */
  serviceAccountName: objectName.optional(),
  /** Space for staged dumps and restores (Directory format); default: an emptyDir without a limit. */
  scratch: z.object({ size: quantity, storageClassName: objectName.optional() }).optional(),
  backoffLimit: integer(0, 10).default(2),
  activeDeadlineSeconds: integer(60, 2_592_000).default(86_400),
});

export type JobTemplate = z.output<typeof jobTemplate>;
