import type { BackupPolicy, BackupRepository, BackupRun, PitrRecovery, RestoreRequest } from '../api/kinds.ts';
import type { Cache } from '../kube/cache.ts';
import type { KubeClient, KubeObject } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { EventNote } from '../kube/events.ts';
import type { Log } from '../kube/log.ts';
import type { CronJob, Job, Pod } from '../kube/workloads.ts';
import type { AgentSettings } from './jobs/build-job.ts';

/** What every controller stands on. */
export interface Context {
  readonly client: KubeClient;
  readonly caches: Caches;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Log;
  /** When the agents' account of an object's namespace was last made sure of, by the clock's monotonic(). */
  readonly accounts: Map<string, number>;
  readonly record: (object: Recorded, event: EventNote) => void;
}

export interface Settings {
  readonly agent: AgentSettings;
  /** Managed: the operator makes the agents' account and its binding. Provided: whoever installed it did. */
  readonly agentAccess: 'Managed' | 'Provided';
  readonly agentClusterRole: string;
}

export type Cached<Shape> = Shape & KubeObject;
type Recorded = KubeObject & { readonly apiVersion: string; readonly kind: string };

export interface Caches {
  readonly policies: Cache<Cached<BackupPolicy>>;
  readonly runs: Cache<Cached<BackupRun>>;
  readonly restores: Cache<Cached<RestoreRequest>>;
  readonly recoveries: Cache<Cached<PitrRecovery>>;
  readonly repositories: Cache<Cached<BackupRepository>>;
  readonly jobs: Cache<Job & KubeObject>;
  readonly cronJobs: Cache<CronJob & KubeObject>;
  readonly pods: Cache<Pod & KubeObject>;
}

/** Names of the caches' indexes; each key is namespace/name. */
export const indexes = {
  /** runs, cronJobs, jobs: by policy. */
  policy: 'policy',
  /** policies, restores: by repository. */
  repository: 'repository',
  /** pods: by Job. */
  job: 'job',
} as const;
