import type { BackupRun } from '../api/kinds.ts';
import { isForeign } from '../domain/catalogue/catalogued-run.ts';
import { labels, managedBy } from '../domain/labels.ts';
import { Cache } from '../kube/cache.ts';
import type { KubeClient, KubeObject, Query } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import type { Log } from '../kube/log.ts';
import { resourcePath } from '../kube/paths.ts';
import { jobNameLabel } from '../kube/workloads.ts';
import { type Caches, indexes } from './context.ts';

interface CachesOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly namespaces: readonly string[];
}

/** The collections that the operator follows; empty `namespaces`: the whole cluster, in one watch a kind. */
export function createCaches({ client, clock, log, namespaces }: CachesOptions): Caches {
  const paths = (kind: string) =>
    namespaces.length === 0 ? [resourcePath(kind)] : namespaces.map((namespace) => resourcePath(kind, { namespace }));
  const make = <Shape extends KubeObject>(
    kind: string,
    byIndex: Readonly<Record<string, (object: Shape) => readonly string[]>> = {},
    query?: Query,
  ) =>
    new Cache<Shape>({
      client,
      clock,
      log,
      paths: paths(kind),
      indexes: byIndex,
      ...(query === undefined ? {} : { query }),
    });
  // Of Kubernetes' own kinds only what Tidemark made.
  const ours = { labelSelector: `${labels.managedBy}=${managedBy}` };
  // An index must not throw, whatever an object holds that is older than its CRD.
  return {
    policies: make('BackupPolicy', {
      [indexes.repository]: ({ metadata, spec }) =>
        (spec?.repositoryRefs ?? []).map(({ name }) => `${metadata.namespace}/${name}`),
    }),
    runs: make('BackupRun', {
      [indexes.policy]: (run) => policiesOf(run),
      [indexes.repository]: ({ metadata, status }) =>
        (status?.repositories ?? []).map(({ name }) => `${metadata.namespace}/${name}`),
    }),
    restores: make('RestoreRequest'),
    recoveries: make('PitrRecovery'),
    repositories: make('BackupRepository'),
    jobs: make('Job', {}, ours),
    cronJobs: make('CronJob', { [indexes.policy]: ({ metadata }) => ownersOf(metadata, 'BackupPolicy') }, ours),
    pods: make('Pod', { [indexes.job]: ({ metadata }) => ownersOf(metadata, 'Job').concat(labelled(metadata)) }, ours),
  };
}

/** The key of the index: what another namespace's policy of that name has made is none of this one's. */
export function policiesOf(run: BackupRun): readonly string[] {
  return isForeign(run) ? [] : [`${run.metadata.namespace}/${run.spec?.policyRef?.name}`];
}

interface Owned {
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
}

function ownersOf({ namespace, ownerReferences = [] }: Owned, kind: string): readonly string[] {
  return ownerReferences.filter((owner) => owner.kind === kind).map(({ name }) => `${namespace}/${name}`);
}

/** A pod whose Job is gone loses its owner, and keeps the label that the Job controller gave it. */
function labelled({ namespace, labels: own = {}, ownerReferences = [] }: Owned): readonly string[] {
  const job = own[jobNameLabel];
  return job === undefined || ownerReferences.length > 0 ? [] : [`${namespace}/${job}`];
}
