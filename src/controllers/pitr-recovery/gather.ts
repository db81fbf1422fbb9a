import { backupPolicySpec } from '../../api/backup-policy.ts';
import type { PitrRecovery } from '../../api/kinds.ts';
import type { WorkloadRef } from '../../api/postgres-server.ts';
import { annotations } from '../../domain/labels.ts';
import { failedVerification } from '../../domain/verification/failed.ts';
import type { KubeObject } from '../../kube/client.ts';
import { read } from '../../kube/objects.ts';
import { isFresh } from '../archiving/heard.ts';
import { isList } from '../backup-task.ts';
import { type Cached, type Context, indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findHosts } from '../find-hosts.ts';
import { isActive } from '../jobs/view-job.ts';
import { parseSpec } from '../parse-spec.ts';
import { isRefusal, missing, type Refusal } from '../refusal.ts';
import { hasEnded } from '../run-progress.ts';
import { claimName } from './build-instance.ts';
import { type Gathered, hadJob, type Namesake } from './gathered.ts';
import type { RecoveryJobs } from './jobs.ts';
import { claimOf, mountOf } from './place.ts';
import { findRival } from './rival.ts';
import { readServer, type ServerWorkload, statedDataDirectory, type WorkloadObject } from './server.ts';
import { type RecoverySource, resolveSource } from './source.ts';
import type { DataClaim, Surroundings } from './surroundings.ts';
import { readWorkload } from './workload-state.ts';

/** Asked for afresh: a recovery must not act on what was the case a moment ago, and there are few of them. */
export async function gather(
  context: Context,
  recovery: Cached<PitrRecovery>,
  { planJob, recoverJob, pods }: RecoveryJobs,
  signal: AbortSignal,
): Promise<Gathered> {
  const { client, settings, clock } = context;
  const deleting = recovery.metadata.deletionTimestamp !== undefined;
  const settled = hasEnded(recovery);
  const recovering = hadJob(recovery, recoverJob, 'recover');
  const running = recoverJob !== undefined && recoverJob.view.finished === undefined;
  const planning = !recovering && hadJob(recovery, planJob, 'plan');
  const planned = planJob === undefined || planJob.view.finished !== undefined;
  const ends = deleting || recovery.spec.cancel;
  const makes = !settled && !ends && !recovering && (!planning || planned);
  const finishes = !settled && recovering && !running;
  const watches = !settled && (makes || ends || finishes);
  const surroundings = makes || finishes ? await look(context, recovery, makes, signal) : undefined;
  const { instance, inPlace } = recovery.spec.target;
  const namesakes = watches || planning ? await findNamesakes(context, recovery, signal) : [];
  const looks = watches || planning || (running && inPlace !== undefined);
  return {
    recovery,
    planJob,
    recoverJob,
    activePods: pods.filter(isActive),
    surroundings,
    account:
      makes && surroundings !== undefined && !isRefusal(surroundings)
        ? await ensureAgentAccount(context, recovery, surroundings.source.template, signal)
        : undefined,
    namesakes,
    // Another's StatefulSet of the instance's name is never scaled.
    workload:
      looks && (instance === undefined || namesakes.some(({ kind, own }) => kind === 'StatefulSet' && own))
        ? await readWorkload(client, recovery, signal)
        : undefined,
    rival: makes ? findRival(recovery, context.caches.recoveries.list(recovery.metadata.namespace)) : undefined,
    agent: settings.agent,
    now: clock.now(),
  };
}

/** What already has the names that a new instance would have. */
async function findNamesakes(
  { client }: Context,
  { metadata, spec }: PitrRecovery,
  signal: AbortSignal,
): Promise<readonly Namesake[]> {
  const { instance } = spec.target;
  if (instance === undefined) return [];
  const names = [
    ['StatefulSet', instance.name],
    ['Service', instance.name],
    ['PersistentVolumeClaim', claimName(instance.name)],
  ] as const;
  const found = await Promise.all(
    names.map(async ([kind, name]) => {
      const object = await read<KubeObject>(client, kind, metadata.namespace, name, signal);
      if (object === undefined) return [];
      const marks = object.metadata['annotations'] as Readonly<Record<string, string>> | undefined;
      return [{ kind, name, uid: object.metadata.uid, own: marks?.[annotations.recovery] === metadata.uid }];
    }),
  );
  return found.flat();
}

async function look(
  context: Context,
  recovery: PitrRecovery,
  makes: boolean,
  signal: AbortSignal,
): Promise<Surroundings | Refusal> {
  const { namespace } = recovery.metadata;
  const source = resolveSource(recovery, {
    policy: (name) => policyOf(context, namespace, name),
    repository: (name) => context.caches.repositories.get(namespace, name),
    failed: (policy) =>
      context.caches.runs
        .byIndex(indexes.policy, `${namespace}/${policy}`)
        .flatMap((run) => (failedVerification(run) ? (run.status?.backupID ?? []) : [])),
    lagSeconds: (policy) => {
      const wal = context.caches.policies.get(namespace, policy)?.status?.wal;
      return wal !== undefined && isFresh(wal, context.clock.now()) ? wal.lagSeconds : undefined;
    },
  });
  if (isRefusal(source)) return source;
  const server = await findServer(context, recovery, source, signal);
  if (server !== undefined && isRefusal(server)) return server;
  const claim = server === undefined ? undefined : await findClaim(context, namespace, server, recovery, signal);
  const { extract } = recovery.spec;
  const hosts = extract === undefined || !makes ? [] : await findHosts(context.client, namespace, extract.into, signal);
  if (!isList(hosts)) return hosts;
  return { source, server, claim, extractHosts: hosts };
}

function policyOf({ caches }: Context, namespace: string, name: string) {
  const stored = caches.policies.get(namespace, name);
  if (stored === undefined) return undefined;
  const parsed = parseSpec(backupPolicySpec, stored.spec, `BackupPolicy ${name}`);
  return isRefusal(parsed) ? parsed : { ...stored, spec: parsed.spec };
}

/** In place: the workload to fill, which need not be the source's. */
async function findServer(
  { client }: Context,
  { metadata, spec }: PitrRecovery,
  source: RecoverySource,
  signal: AbortSignal,
): Promise<ServerWorkload | Refusal | undefined> {
  const { namespace } = metadata;
  const place = spec.target.inPlace?.workloadRef;
  const ref: WorkloadRef | undefined = place ?? source.workload;
  if (ref === undefined) return undefined;
  const workload = await read<WorkloadObject>(client, ref.kind, namespace, ref.name, signal);
  if (workload !== undefined) {
    const isSource = source.workload?.kind === ref.kind && source.workload.name === ref.name;
    return readServer(ref.kind, workload, { container: isSource ? source.container : undefined, port: source.port });
  }
  if (place === undefined) return undefined;
  return missing(
    'TargetNotFound',
    `${ref.kind} ${namespace}/${ref.name} does not exist. Create it, or correct target.inPlace.workloadRef.`,
  );
}

async function findClaim(
  { client }: Context,
  namespace: string,
  server: ServerWorkload,
  { status }: PitrRecovery,
  signal: AbortSignal,
): Promise<DataClaim | undefined> {
  const directory = status?.plan?.recovery?.dataDirectory ?? statedDataDirectory(server.container) ?? usualDirectory;
  const mount = mountOf(server, directory);
  const name = mount === undefined ? undefined : claimOf(server, mount);
  if (name === undefined) return undefined;
  const claim = await read<Claim>(client, 'PersistentVolumeClaim', namespace, name, signal);
  const storageClassName = claim?.spec?.storageClassName;
  const capacity = claim?.status?.capacity?.storage;
  return {
    name,
    ...(storageClassName === undefined ? {} : { storageClassName }),
    ...(capacity === undefined ? {} : { capacity }),
  };
}

/** The official image's, for a workload that does not say where its data is, until the plan does. */
const usualDirectory = '/var/lib/postgresql/data';

interface Claim extends KubeObject {
  readonly spec?: { readonly storageClassName?: string };
  readonly status?: { readonly capacity?: { readonly storage?: string } };
}
