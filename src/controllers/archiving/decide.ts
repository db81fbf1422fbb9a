import type { BackupPolicy, BackupRepository } from '../../api/kinds.ts';
import type { WatchWalTask } from '../../domain/task.ts';
import type { KubeObject } from '../../kube/client.ts';
import type { Desired } from '../../kube/objects.ts';
import { isList, repositoryTasks } from '../backup-task.ts';
import type { AgentSettings } from '../jobs/build-job.ts';
import { readServer, type ServerWorkload, type WorkloadObject } from '../pitr-recovery/server.ts';
import { isRefusal, missing, type Refusal, refused } from '../refusal.ts';
import { buildSidecar, withoutSidecar } from './build-sidecar.ts';
import { buildWatcher, watcherName } from './build-watcher.ts';
import { isFresh, isSaidOf } from './heard.ts';
import { abandonArchiving, archivingFinalizer, sidecarHash, watchMode } from './marks.ts';
import { presentSidecar, type Rollout, rolloutOf, sidecarHolder } from './rollout.ts';
import { type RepositoryClaim, refuseUnshared } from './shared-claims.ts';
import { whatStays } from './what-stays.ts';

export interface GatheredArchiving {
  readonly policy: BackupPolicy;
  readonly repositories: readonly (BackupRepository | undefined)[];
  readonly hosts: readonly string[] | Refusal;
  readonly account: Refusal | undefined;
  /** Those of the repositories that are on volumes, in mode Archive. */
  readonly claims: readonly RepositoryClaim[];
  /** undefined where the source is a host, or the workload is gone. */
  readonly workload: WorkloadObject | undefined;
  /** Whatever Deployment has the watcher's name. */
  readonly watcher: KubeObject | undefined;
  /** The policy whose sidecar is in the workload's pods, where it exists. */
  readonly holder: BackupPolicy | undefined;
  readonly agent: AgentSettings;
  readonly now: Date;
}

export interface ArchivingDecision {
  readonly finalizer: boolean;
  /** The watcher's Deployment as it is to be; `remove`: none any more; undefined: as it is. */
  readonly watcher: Desired | 'remove' | undefined;
  /** Of the workload's pod template; undefined: as it is. */
  readonly workload: { readonly patch: Desired; readonly why: string } | undefined;
  readonly rollout: Rollout | undefined;
  readonly refusal: Refusal | undefined;
  /** What is waited for before nothing is left to be taken back. */
  readonly awaited: string | undefined;
  /** What stays for ever, since a person has said so. */
  readonly abandoned: string | undefined;
  /** Something is under way of which no watch tells. */
  readonly lookAgainSoon: boolean;
}

const nothing: ArchivingDecision = {
  finalizer: false,
  watcher: undefined,
  workload: undefined,
  rollout: undefined,
  refusal: undefined,
  awaited: undefined,
  abandoned: undefined,
  lookAgainSoon: false,
};

/**
 * On: the watcher sets the server up, then the pods get the sidecar in the one restart that archive_mode needs. Off: the
 * watcher takes its settings back without a reload, then the sidecar goes, with the restart that makes that hold; so the
 * server has a working archive_command as long as it archives at all.
 */
export function decideArchiving(gathered: GatheredArchiving): ArchivingDecision {
  const { policy, workload } = gathered;
  const wanted = wantedMode(policy);
  const taken = nameTaken(gathered);
  if (taken !== undefined && wanted !== 'None') return { ...nothing, finalizer: isOurs(policy), refusal: taken };
  const other = wanted === 'Stream' ? undefined : archivedByAnother(gathered);
  if (other !== undefined) return { ...nothing, watcher: 'remove', refusal: wanted === 'None' ? undefined : other };
  const present = workload === undefined || sidecarOfAnother(gathered) ? undefined : presentSidecar(workload);
  if (wanted === 'None') return isOurs(policy) ? takeBack(gathered, present) : { ...nothing, watcher: 'remove' };
  // From Archive to Stream by way of nothing: what the one has set is taken back before the other begins.
  const left = isSetForArchive(gathered) || present !== undefined;
  if (wanted === 'Stream' && left) return { ...takeBack(gathered, present), finalizer: true };
  return setUp(gathered, wanted, present);
}

function isOurs({ metadata }: BackupPolicy): boolean {
  return metadata.finalizers?.includes(archivingFinalizer) ?? false;
}

function modeOf(watcher: KubeObject | undefined): string | undefined {
  return (watcher?.metadata['annotations'] as Readonly<Record<string, string>> | undefined)?.[watchMode];
}

/** Written settings do not show in the pods before the sidecar does. */
function isSetForArchive({ policy, watcher }: GatheredArchiving): boolean {
  const mode = modeOf(watcher);
  return mode === 'Archive' || (mode === 'None' && policy.status?.wal?.setting?.state !== 'Removed');
}

export function isOfPolicy(watcher: KubeObject, { metadata }: BackupPolicy): boolean {
  const owners = (watcher.metadata['ownerReferences'] ?? []) as readonly { readonly uid: string }[];
  return owners.some(({ uid }) => uid === metadata.uid);
}

function nameTaken({ policy, watcher }: GatheredArchiving): Refusal | undefined {
  if (watcher === undefined || isOfPolicy(watcher, policy)) return undefined;
  const name = watcherName(policy.metadata.name);
  return missing(
    'WatcherNameTaken',
    `There is a Deployment ${name} that does not belong to BackupPolicy ${policy.metadata.name}, and the watcher of its archive would have that name. Remove or rename that Deployment, or make a policy of another name.`,
  );
}

function sidecarOfAnother({ policy, workload }: GatheredArchiving): boolean {
  const holder = workload === undefined ? undefined : sidecarHolder(workload);
  return holder !== undefined && holder !== policy.metadata.name;
}

/** A server has one archive_command: two policies would restart its pods in turns, for ever. */
function archivedByAnother(gathered: GatheredArchiving): Refusal | undefined {
  const { holder, policy } = gathered;
  if (holder === undefined || !sidecarOfAnother(gathered) || !isOurs(holder)) return undefined;
  const { kind, name } = policy.spec.source.workloadRef ?? { kind: '', name: '' };
  return missing(
    'ArchivedByAnother',
    `${kind} ${name} is archived by BackupPolicy ${holder.metadata.name} already, and a server has one archive. Use that policy, take walArchiving out of it, or use walArchiving.mode: Stream here.`,
  );
}

function wantedMode({ metadata, spec }: BackupPolicy): WatchWalTask['mode'] {
  return spec.suspend || metadata.deletionTimestamp !== undefined ? 'None' : spec.walArchiving.mode;
}

function setUp(
  gathered: GatheredArchiving,
  mode: 'Archive' | 'Stream',
  present: string | undefined,
): ArchivingDecision {
  const { policy, agent, workload } = gathered;
  const server = mode === 'Archive' ? serverOf(gathered) : undefined;
  // Where nothing was set yet, there is nothing to be taken back either.
  const before = { ...nothing, finalizer: isOurs(policy) };
  if (server !== undefined && isRefusal(server)) return { ...before, refusal: server };
  const parts = partsOf(gathered);
  if (isRefusal(parts)) return { ...before, refusal: parts, lookAgainSoon: true };
  const unshared = refuseUnshared(policy.metadata.namespace, gathered.claims);
  if (unshared !== undefined) return { ...before, refusal: unshared, lookAgainSoon: unshared.mayCome };
  const watcher = buildWatcher({ policy, mode, agent, ...parts });
  if (isRefusal(watcher)) return { ...before, refusal: watcher };
  const base = { ...nothing, finalizer: true, watcher };
  if (server === undefined || workload === undefined) return base;
  const rollout = rolloutOf(workload);
  const { wal } = policy.status ?? {};
  const ready = wal?.setting?.state === 'Set' || wal?.setting?.state === 'RestartNeeded';
  // Another server's pods are not touched: what the watcher says of its settings was said of the one before.
  if (wal?.report?.reason === 'OtherServer') return base;
  if (!ready || wal.systemIdentifier === undefined || !isFresh(wal, gathered.now))
    return { ...base, rollout: undefined };
  if (present === undefined && !isSaidOf(workload, wal)) return { ...base, rollout: undefined, lookAgainSoon: true };
  const { systemIdentifier } = wal;
  const { repositories } = parts;
  const patch = buildSidecar({ policy, workload: server, repositories, systemIdentifier, agent });
  if (hashIn(patch) === present) return { ...base, rollout, lookAgainSoon: rollout.state !== 'Done' };
  return {
    ...base,
    workload: { patch, why: present === undefined ? 'archive_mode takes effect' : 'the archiving sidecar has changed' },
    rollout: {
      state: 'UnderWay',
      reason: 'Restarting',
      message: `The pods of ${server.kind} ${server.name} are being restarted for archiving`,
    },
    lookAgainSoon: true,
  };
}

function takeBack(gathered: GatheredArchiving, present: string | undefined): ArchivingDecision {
  const { policy, workload, agent } = gathered;
  const gone = { ...nothing, watcher: 'remove' as const };
  if (policy.metadata.annotations?.[abandonArchiving] === 'true') return { ...gone, abandoned: whatStays(policy) };
  const { hosts } = gathered;
  // The server is gone, and what was set in it.
  if (isRefusal(hosts) && hosts.reason === 'TargetNotFound') return gone;
  const waiting = { ...nothing, finalizer: true, lookAgainSoon: true, awaited: awaitedOf(gathered) };
  // What an earlier watcher has said is not said of what was set since.
  if (modeOf(gathered.watcher) !== 'None' || policy.status?.wal?.setting?.state !== 'Removed') {
    const parts = partsOf(gathered);
    const watcher = isRefusal(parts) ? parts : buildWatcher({ policy, mode: 'None', agent, ...parts });
    return isRefusal(watcher) ? { ...waiting, awaited: awaitedOf(gathered, watcher.message) } : { ...waiting, watcher };
  }
  if (present === undefined || workload === undefined) return gone;
  const { kind, metadata } = workload;
  return {
    ...waiting,
    workload: {
      patch: withoutSidecar(metadata.namespace ?? '', { kind: kind as ServerWorkload['kind'], name: metadata.name }),
      why: 'archiving is taken back',
    },
  };
}

/** Said while a policy goes on existing for what it has set. */
function awaitedOf({ policy, watcher }: GatheredArchiving, hindrance?: string): string {
  const { metadata, status } = policy;
  const report = modeOf(watcher) === 'None' && status?.wal?.report?.healthy === false ? status.wal.report : undefined;
  const said = hindrance ?? report?.message;
  const what =
    said === undefined
      ? 'What Tidemark has set in the server is being taken back'
      : `What Tidemark has set in the server is not taken back yet: ${said}`;
  if (metadata.deletionTimestamp === undefined) return what;
  return `${what}. The policy goes after that. Where the server is not to be had any more: kubectl --namespace ${metadata.namespace} annotate backuppolicy ${metadata.name} ${abandonArchiving}=true`;
}

function serverOf({ policy, workload }: GatheredArchiving): ServerWorkload | Refusal {
  const { workloadRef, container, port } = policy.spec.source;
  if (workloadRef === undefined || workloadRef.kind === 'Pod')
    return refused(
      'PodCannotChange',
      'walArchiving.mode Archive puts a sidecar into the pods, which a Pod of its own does not take any more. Use mode Stream, which changes nothing.',
    );
  if (workload === undefined)
    return {
      reason: 'TargetNotFound',
      message: `${workloadRef.kind} ${workloadRef.name} does not exist. Create it, or correct source.workloadRef.`,
      mayCome: true,
    };
  return readServer(workloadRef.kind, workload, { container, port });
}

function partsOf({ policy, repositories, hosts, account }: GatheredArchiving) {
  const { metadata, spec } = policy;
  const chosen = repositoryTasks(metadata.namespace, spec.repositoryRefs, repositories);
  if (!isList(chosen)) return chosen;
  if (!isList(hosts)) return hosts;
  if (account !== undefined) return account;
  const { source } = spec;
  return {
    repositories: chosen,
    server: {
      hosts: [...hosts],
      port: source.port,
      database: source.database,
      role: 'Primary' as const,
      ...(source.tls === undefined ? {} : { tls: source.tls }),
      credentialsSecretName: source.credentialsSecretRef.name,
    },
  };
}

function hashIn(patch: Desired): string | undefined {
  const { template } = patch['spec'] as {
    readonly template: { readonly metadata: { readonly annotations: Readonly<Record<string, string>> } };
  };
  return template.metadata.annotations[sidecarHash];
}
