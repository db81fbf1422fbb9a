import type { BackupPolicyStatus } from '../../api/backup-policy.ts';
import type { BackupPolicy, BackupRepository, BackupRun } from '../../api/kinds.ts';
import { apiVersion } from '../../api/kinds.ts';
import type { NewCondition } from '../../domain/conditions.ts';
import { annotations, operatorFieldManager, watcherFieldManager } from '../../domain/labels.ts';
import type { KubeObject } from '../../kube/client.ts';
import {
  apply,
  applyStatus,
  createIfAbsent,
  type Desired,
  patchFinalizers,
  read,
  rehearseApply,
  remove,
} from '../../kube/objects.ts';
import type { Cached, Context } from '../context.ts';
import { policyLabels } from '../jobs/build-job.ts';
import { refusalOf } from '../jobs/create-job.ts';
import type { WorkloadObject } from '../pitr-recovery/server.ts';
import type { Refusal } from '../refusal.ts';
import { watcherName } from './build-watcher.ts';
import { type ArchivingDecision, decideArchiving, isOfPolicy } from './decide.ts';
import { continuousArchiving, dueBackup, restorableOf, stalledArchiving } from './judge.ts';
import { archivingFinalizer, sidecarFieldManager } from './marks.ts';
import { sidecarHolder } from './rollout.ts';
import { readClaims } from './shared-claims.ts';

interface Surroundings {
  readonly policy: Cached<BackupPolicy>;
  readonly repositories: readonly (BackupRepository | undefined)[];
  readonly hosts: readonly string[] | Refusal;
  readonly account: Refusal | undefined;
  readonly runs: readonly BackupRun[];
}

export interface ArchivingOutcome {
  readonly conditions: readonly NewCondition[];
  readonly restorable: BackupPolicyStatus['restorable'] | undefined;
  /** Milliseconds; undefined where nothing of it changes by itself. */
  readonly lookAgain: number | undefined;
}

const soon = 5_000;
/** What the watcher says gets old by itself. */
const later = 60_000;

/** One step towards the archiving that a policy asks for, or away from one that it does not ask for any more. */
export async function reconcileArchiving(
  context: Context,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<ArchivingOutcome> {
  const { client, settings, clock } = context;
  const { policy, runs } = surroundings;
  const { namespace, name } = policy.metadata;
  const { mode } = policy.spec.walArchiving;
  if (mode === 'None' && !isArchiving(policy)) {
    await forgetFacts(context, policy, signal);
    return {
      conditions: [],
      restorable: restorableOf(runs, undefined, policy.status?.restorable),
      lookAgain: undefined,
    };
  }
  const now = clock.now();
  const watcher = await read<KubeObject>(client, 'Deployment', namespace, watcherName(name), signal);
  const workload = await readWorkload(context, policy, signal);
  const holderName = workload === undefined ? undefined : sidecarHolder(workload);
  const holder = holderName === undefined ? undefined : context.caches.policies.get(namespace, holderName);
  const claims = await readClaims(client, policy, surroundings.repositories, signal);
  const decision = decideArchiving({ ...surroundings, claims, workload, watcher, holder, agent: settings.agent, now });
  const rejection = await carryOut(context, policy, decision, watcher, signal);
  const isOver = decision.watcher === 'remove' && !decision.finalizer && watcher === undefined;
  if (isOver) await forgetFacts(context, policy, signal);
  const refusal = decision.refusal ?? rejection;
  const wal = policy.status?.wal;
  const judged = { policy, wal, ...decision, refusal, now };
  const condition = continuousArchiving(judged);
  if (mode !== 'None' && policy.metadata.deletionTimestamp === undefined)
    await startDueBackup(context, policy, runs, now, signal);
  const isGone = policy.metadata.deletionTimestamp !== undefined && !decision.finalizer;
  const isSilent = isGone || (mode === 'None' && decision.awaited === undefined);
  return {
    conditions: isSilent ? [] : [condition, ...stalledArchiving(judged, condition)],
    restorable: restorableOf(runs, wal, policy.status?.restorable),
    lookAgain: decision.lookAgainSoon ? soon : later,
  };
}

/** Something of it is set, or may be. */
export function isArchiving({ metadata }: BackupPolicy): boolean {
  return metadata.finalizers?.includes(archivingFinalizer) ?? false;
}

/** Nothing is taken back any more. */
export async function letGo(context: Context, policy: Cached<BackupPolicy>, signal: AbortSignal): Promise<void> {
  await setFinalizer(context, policy, false, signal);
}

/** Without a watcher its last words would be taken for how things are. It wrote them under a name of its own. */
async function forgetFacts({ client }: Context, policy: Cached<BackupPolicy>, signal: AbortSignal): Promise<void> {
  if (policy.status?.wal === undefined || policy.metadata.deletionTimestamp !== undefined) return;
  const { namespace, name, uid } = policy.metadata;
  const nothing = { apiVersion, kind: policy.kind, metadata: { namespace, name, uid }, status: {} };
  await applyStatus(client, nothing, watcherFieldManager, signal);
}

async function readWorkload(
  { client }: Context,
  { metadata, spec }: BackupPolicy,
  signal: AbortSignal,
): Promise<WorkloadObject | undefined> {
  const { workloadRef } = spec.source;
  if (workloadRef === undefined || workloadRef.kind === 'Pod') return undefined;
  const found = await read<WorkloadObject>(client, workloadRef.kind, metadata.namespace, workloadRef.name, signal);
  return found === undefined ? undefined : { ...found, kind: workloadRef.kind };
}

/** In an order that can be broken off anywhere: the finalizer first where something is set, and last where nothing is. */
async function carryOut(
  context: Context,
  policy: Cached<BackupPolicy>,
  decision: ArchivingDecision,
  present: KubeObject | undefined,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  const { client } = context;
  const { namespace } = policy.metadata;
  if (decision.finalizer) await setFinalizer(context, policy, true, signal);
  const { watcher, workload } = decision;
  if (watcher === 'remove') {
    if (present !== undefined && isOfPolicy(present, policy))
      await remove(
        client,
        { kind: 'Deployment', namespace, name: present.metadata.name, uid: present.metadata.uid ?? '' },
        signal,
      );
  } else if (watcher !== undefined && differs(watcher, present)) {
    const rejection = await attempt('Deployment', () => apply(client, watcher, operatorFieldManager, signal));
    if (rejection !== undefined) return rejection;
  }
  if (workload !== undefined) {
    const rejection = await changeTemplate(context, policy, workload, signal);
    if (rejection !== undefined) return rejection;
  }
  if (decision.abandoned !== undefined && isArchiving(policy))
    context.record(policy, {
      type: 'Warning',
      reason: 'ArchivingAbandoned',
      action: 'Archive',
      note: decision.abandoned,
    });
  if (!decision.finalizer) await setFinalizer(context, policy, false, signal);
  return undefined;
}

/** The restart is announced before it begins, and not at all where it does not come to that. */
async function changeTemplate(
  context: Context,
  policy: Cached<BackupPolicy>,
  { patch, why }: NonNullable<ArchivingDecision['workload']>,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  const { client } = context;
  const { kind, metadata } = patch;
  const what = `${kind} ${metadata.name}`;
  const rejection = await attempt(kind, () => rehearseApply(client, patch, sidecarFieldManager, signal));
  if (rejection !== undefined) return sidecarRefused(what, rejection);
  context.record(policy, {
    type: 'Normal',
    reason: 'WalArchivingRestart',
    action: 'Archive',
    note: `The pods of ${what} are restarted once: ${why}`,
  });
  const late = await attempt(kind, () => apply(client, patch, sidecarFieldManager, signal));
  return late === undefined ? undefined : sidecarRefused(what, late);
}

async function attempt(kind: string, run: () => Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    const refusal = refusalOf(error, kind);
    if (refusal === undefined) throw error;
    return refusal;
  }
}

function sidecarRefused(what: string, { message, mayCome }: Refusal): Refusal {
  return {
    reason: 'SidecarRefused',
    message: `The archiving sidecar does not come into ${what}, or out of it: ${message.replace(/\.? Correct jobTemplate.*$/, '').replace(/\.+$/, '')}. See who changes or guards that object; or use walArchiving.mode: Stream, which leaves it alone.`,
    mayCome,
  };
}

function differs(wanted: Desired, present: KubeObject | undefined): boolean {
  const hashOf = (object: { readonly metadata: object } | undefined) =>
    (object?.metadata as { readonly annotations?: Readonly<Record<string, string>> } | undefined)?.annotations?.[
      annotations.taskHash
    ];
  return hashOf(present) !== hashOf(wanted);
}

async function setFinalizer(
  { client }: Context,
  policy: Cached<BackupPolicy>,
  wanted: boolean,
  signal: AbortSignal,
): Promise<void> {
  if (isArchiving(policy) === wanted) return;
  const others = (policy.metadata.finalizers ?? []).filter((name) => name !== archivingFinalizer);
  await patchFinalizers(client, policy, wanted ? [...others, archivingFinalizer] : others, signal);
}

async function startDueBackup(
  context: Context,
  policy: Cached<BackupPolicy>,
  runs: readonly BackupRun[],
  now: Date,
  signal: AbortSignal,
): Promise<void> {
  const due = dueBackup(policy, runs, policy.status?.wal, now);
  if (due === undefined) return;
  const { name, namespace } = policy.metadata;
  const made = await createIfAbsent(
    context.client,
    {
      apiVersion,
      kind: 'BackupRun',
      metadata: { name: due.name, namespace, labels: policyLabels(name) },
      spec: { policyRef: { name }, method: 'Physical', type: 'Full' },
    },
    operatorFieldManager,
    signal,
  );
  if (!made) return;
  context.record(policy, {
    type: 'Warning',
    reason: 'NewBaseBackup',
    action: 'Archive',
    note: `BackupRun ${due.name} was started: ${due.why}`,
  });
}
