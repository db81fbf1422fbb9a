import type { KubeObject } from '../../kube/client.ts';
import { type Refusal, refused } from '../refusal.ts';

/** The workload that a recovered server is made like, in so far as Tidemark looks at it. */
export interface ServerWorkload {
  readonly kind: 'StatefulSet' | 'Deployment' | 'Pod';
  readonly name: string;
  readonly pod: PodSpec;
  /** The server's own container. */
  readonly container: Container;
  readonly claimTemplates: readonly ClaimTemplate[];
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly [field: string]: unknown;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly [field: string]: unknown }[];
  readonly ports?: readonly { readonly containerPort: number; readonly [field: string]: unknown }[];
  readonly volumeMounts?: readonly VolumeMount[];
  readonly restartPolicy?: string;
  readonly [field: string]: unknown;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
  readonly subPathExpr?: string;
  readonly [field: string]: unknown;
}

export interface Volume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly [field: string]: unknown;
}

export interface ClaimTemplate {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly storageClassName?: string; readonly [field: string]: unknown };
}

export interface WorkloadObject extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly selector?: {
      readonly matchLabels?: Readonly<Record<string, string>>;
      readonly matchExpressions?: readonly LabelRequirement[];
    };
    readonly template?: { readonly spec: PodSpec };
    readonly volumeClaimTemplates?: readonly ClaimTemplate[];
    readonly persistentVolumeClaimRetentionPolicy?: { readonly whenScaled?: string };
    readonly [field: string]: unknown;
  };
  readonly status?: { readonly readyReplicas?: number; readonly [field: string]: unknown };
}

export interface LabelRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

interface Wanted {
  /** Where the user says it. */
  readonly container: string | undefined;
  readonly port: number;
}

/** Reads a StatefulSet, a Deployment or a Pod, and finds the server's container in it. */
export function readServer(
  kind: ServerWorkload['kind'],
  { metadata, spec }: WorkloadObject,
  wanted: Wanted,
): ServerWorkload | Refusal {
  const pod = kind === 'Pod' ? (spec as unknown as PodSpec) : spec.template?.spec;
  const container = pod === undefined ? undefined : chooseContainer(pod.containers, wanted);
  if (pod === undefined || container === undefined)
    return refused(
      'ContainerNotFound',
      `${kind} ${metadata.name} has no container ${wanted.container ?? 'that is certainly the server’s'}. Its containers are: ${(pod?.containers ?? []).map(({ name }) => name).join(', ')}. Name the right one in source.container of the BackupPolicy.`,
    );
  return { kind, name: metadata.name, pod, container, claimTemplates: spec.volumeClaimTemplates ?? [] };
}

/** The data directory, where the workload says it in so many words. */
export function statedDataDirectory({ env = [] }: Container): string | undefined {
  const stated = env.find(({ name }) => name === 'PGDATA')?.value;
  return stated?.startsWith('/') && !stated.includes('$(') ? stated.replace(/\/+$/, '') : undefined;
}

/** The port that the server itself listens on; a Service before it may have another. */
export function serverPort({ ports = [] }: Container, port: number): number {
  const [only, ...others] = ports;
  if (ports.some(({ containerPort }) => containerPort === port) || only === undefined || others.length > 0) return port;
  return only.containerPort;
}

function chooseContainer(containers: readonly Container[], { container, port }: Wanted): Container | undefined {
  if (container !== undefined) return containers.find(({ name }) => name === container);
  if (containers.length === 1) return containers[0];
  const signs: readonly ((each: Container) => boolean)[] = [
    ({ name }) => name === 'postgres' || name === 'postgresql',
    (each) => statedDataDirectory(each) !== undefined,
    ({ ports = [] }) => ports.some(({ containerPort }) => containerPort === port),
  ];
  for (const sign of signs) {
    const [found, ...others] = containers.filter(sign);
    if (found !== undefined && others.length === 0) return found;
  }
  return undefined;
}
