import type { OwnerReference } from '../api/kinds.ts';

/** On a pod: the name of its Job, by the Job controller. */
export const jobNameLabel = 'batch.kubernetes.io/job-name';

/** Kubernetes' own objects as JSON carries them, in so far as Tidemark looks at them. */
interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly [field: string]: unknown;
}

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly [field: string]: unknown;
}

export interface JobCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface Job extends KubernetesObject {
  readonly status?: {
    readonly startTime?: string;
    readonly completionTime?: string;
    readonly conditions?: readonly JobCondition[];
    readonly active?: number;
  };
}

export interface CronJob extends KubernetesObject {
  readonly spec: { readonly suspend?: boolean };
}

export interface ContainerStatus {
  readonly name: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly message?: string };
  };
}

export interface Pod extends KubernetesObject {
  readonly spec?: {
    readonly hostname?: string;
    readonly subdomain?: string;
    readonly containers?: readonly {
      readonly name: string;
      readonly ports?: readonly { readonly containerPort: number }[];
    }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export interface Workload extends KubernetesObject {
  readonly spec: {
    readonly replicas?: number;
    readonly serviceName?: string;
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly template: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };
  };
}

export interface Service extends KubernetesObject {
  readonly spec: {
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly port: number; readonly targetPort?: number | string }[];
    readonly type?: string;
    readonly clusterIP?: string;
  };
}
