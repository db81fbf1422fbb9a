import type { BackupPolicy, BackupRepository, BackupRun } from '../../api/kinds.ts';
import { agentServiceAccount } from '../../domain/labels.ts';
import { cronJobName } from '../../domain/naming.ts';
import { isForbidden, isNotFound } from '../../kube/api-error.ts';
import { resourcePath } from '../../kube/paths.ts';
import { find, list } from '../objects.ts';
import type { Session } from '../session.ts';
import type { Looked } from './check.ts';
import { type NeededSecret, secretsOfPolicy, secretsOfRepository } from './needed-secrets.ts';

export interface SeenWorkload {
  readonly spec: { readonly replicas?: number; readonly template?: { readonly spec: PodSpec } } & Partial<PodSpec>;
  readonly status?: { readonly readyReplicas?: number; readonly phase?: string };
}
interface PodSpec {
  readonly containers: readonly { readonly name: string }[];
}
export interface SeenCronJob {
  readonly metadata: { readonly creationTimestamp: string };
  readonly spec: { readonly suspend?: boolean };
  readonly status?: { readonly lastScheduleTime?: string };
}
export interface SeenClaim {
  readonly status?: { readonly phase?: string };
}
export interface SeenAccount {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
}

type Named<Thing> = { readonly name: string; readonly seen: Looked<Thing> };

export interface Gathered {
  readonly policy: BackupPolicy;
  readonly repositories: readonly Named<BackupRepository>[];
  readonly secrets: readonly (NeededSecret & { readonly seen: Looked<readonly string[]> })[];
  /** Undefined: the server is a host. */
  readonly workload: Looked<SeenWorkload> | undefined;
  readonly cronJobs: readonly Named<SeenCronJob>[];
  readonly claims: readonly Named<SeenClaim>[];
  readonly account: Named<SeenAccount>;
  readonly runs: readonly BackupRun[];
  readonly now: Date;
}

/** Everything in the cluster that the policy leans on, as far as whoever asks may see it. */
export async function gather(session: Session, policy: BackupPolicy): Promise<Gathered> {
  const { spec, metadata } = policy;
  const core = <Thing>(kind: string, name: string) =>
    look<Thing>(session, resourcePath(kind, { namespace: session.namespace, name }));
  const repositories = await named(
    spec.repositoryRefs.map(({ name }) => name),
    (name) => lookAt(() => find(session, 'BackupRepository', name)),
  );
  const found = repositories.flatMap(({ seen }) => (seen.state === 'found' ? [seen.thing] : []));
  const ref = spec.source.workloadRef;
  const claims = found.flatMap((repository) => repository.spec.volume?.claimName ?? []);
  const account = spec.jobTemplate.serviceAccountName ?? agentServiceAccount;
  return {
    policy,
    repositories,
    secrets: await Promise.all(
      [...secretsOfPolicy(policy), ...found.flatMap(secretsOfRepository)].map(async (needed) => ({
        ...needed,
        seen: await secretKeys(session, needed.name),
      })),
    ),
    workload: ref === undefined ? undefined : await core<SeenWorkload>(ref.kind, ref.name),
    cronJobs: await named(
      spec.schedules.map(({ name }) => name),
      (name) => core<SeenCronJob>('CronJob', cronJobName(metadata.name, name)),
    ),
    claims: await named(claims, (name) => core<SeenClaim>('PersistentVolumeClaim', name)),
    account: { name: account, seen: await core<SeenAccount>('ServiceAccount', account) },
    runs: (await list(session, 'BackupRun')).filter((run) => run.spec.policyRef.name === metadata.name),
    now: session.clock.now(),
  };
}

async function named<Thing>(
  names: readonly string[],
  lookFor: (name: string) => Promise<Looked<Thing>>,
): Promise<readonly Named<Thing>[]> {
  return await Promise.all(names.map(async (name) => ({ name, seen: await lookFor(name) })));
}

/** The names of a Secret's keys, as the person's own rights allow; its values are dropped at once. */
async function secretKeys({ client, namespace, signal }: Session, name: string): Promise<Looked<readonly string[]>> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${encodeURIComponent(name)}`;
  return await lookAt(async () => {
    const { data = {} } = await client.request<{ readonly data?: Readonly<Record<string, string>> }>('GET', path, {
      signal,
    });
    return Object.keys(data).filter((key) => data[key] !== '');
  });
}

async function look<Thing>({ client, signal }: Session, path: string): Promise<Looked<Thing>> {
  return await lookAt(() => client.request<Thing>('GET', path, { signal }));
}

async function lookAt<Thing>(ask: () => Promise<Thing | undefined>): Promise<Looked<Thing>> {
  try {
    const thing = await ask();
    return thing === undefined ? { state: 'absent' } : { state: 'found', thing };
  } catch (error) {
    if (isNotFound(error)) return { state: 'absent' };
    if (isForbidden(error)) return { state: 'unseen', why: 'you may not look at it' };
    throw error;
  }
}
