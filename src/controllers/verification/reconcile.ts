import type { BackupPolicyStatus } from '../../api/backup-policy.ts';
import { apiVersion, type BackupPolicy, type BackupRun, pitrRecovery, restoreRequest } from '../../api/kinds.ts';
import type { NewCondition } from '../../domain/conditions.ts';
import { labelValue } from '../../domain/label-value.ts';
import { labels, operatorFieldManager, verificationFieldManager } from '../../domain/labels.ts';
import { isDrillOf } from '../../domain/verification/drill-history.ts';
import { isNotFound } from '../../kube/api-error.ts';
import { applyStatus, createIfAbsent, type Desired, list, remove } from '../../kube/objects.ts';
import type { Cached, Context } from '../context.ts';
import { policyLabels } from '../jobs/build-job.ts';
import { refusalOf } from '../jobs/create-job.ts';
import { decideVerification, type GatheredVerification, type Trial, type VerificationDecision } from './decide.ts';
import type { Mark } from './marks.ts';

export interface VerificationOutcome {
  readonly conditions: readonly NewCondition[];
  readonly facts: Pick<BackupPolicyStatus, 'verification' | 'drills'>;
  /** Milliseconds. */
  readonly lookAgain: number | undefined;
}

interface Surroundings {
  readonly policy: Cached<BackupPolicy>;
  readonly runs: readonly BackupRun[];
}

const soon = 5_000;

/** Starts the verification that is due, and writes what ended ones have found out to where people look for it. */
export async function reconcileVerification(
  context: Context,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<VerificationOutcome> {
  const { policy } = surroundings;
  const gathered = gather(context, surroundings);
  const decision = decideVerification(gathered);
  for (const mark of decision.marks) await writeMark(context, mark, signal);
  for (const { kind, metadata } of decision.remove)
    await remove(
      context.client,
      { kind, namespace: metadata.namespace, name: metadata.name, uid: metadata.uid },
      signal,
    );
  for (const event of decision.events) context.record(policy, event);
  const refusal = decision.create === undefined ? undefined : await start(context, policy, gathered, signal);
  await startReplacement(context, policy, decision.backup, signal);
  const isDue = decision.create !== undefined;
  const wait = decision.nextTime === undefined ? undefined : decision.nextTime.getTime() - gathered.now.getTime();
  return {
    conditions: refusal === undefined ? decision.conditions : [refusal],
    facts: {
      ...(decision.status === undefined ? {} : { verification: decision.status }),
      ...(decision.drills.length === 0 ? {} : { drills: [...decision.drills] }),
    },
    lookAgain: isDue ? soon : wait,
  };
}

function gather({ caches, clock }: Context, { policy, runs }: Surroundings): GatheredVerification {
  const { namespace, uid } = policy.metadata;
  const recoveries = caches.recoveries.list(namespace);
  return {
    policy,
    runs,
    trials: [...recoveries, ...caches.restores.list(namespace)].filter(isOwn(uid)),
    drills: recoveries.filter((recovery) => isUnderstood(recovery) && isDrillOf(policy, recovery)),
    random: Math.random,
    now: clock.now(),
  };
}

function isOwn(policy: string): (trial: Trial) => boolean {
  return ({ metadata }) =>
    metadata.labels?.[labels.verification] !== undefined &&
    metadata.ownerReferences?.some(({ uid }) => uid === policy) === true;
}

/** An object that is older than its CRD may hold anything. */
function isUnderstood({ spec }: { readonly spec?: { readonly target?: unknown; readonly source?: unknown } }): boolean {
  return spec?.target !== undefined && spec.source !== undefined;
}

/**
 * The cache may not have heard of one that was started a moment ago, and two at once there must not be: so the API server
 * is asked, and it is decided anew.
 */
async function start(
  context: Context,
  policy: Cached<BackupPolicy>,
  gathered: GatheredVerification,
  signal: AbortSignal,
): Promise<NewCondition | undefined> {
  const { client } = context;
  const [recoveries, restores] = await Promise.all(
    [pitrRecovery.kind, restoreRequest.kind].map((kind) => listTrials(context, kind, policy, signal)),
  );
  const trials = [...(recoveries ?? []), ...(restores ?? [])].filter(isOwn(policy.metadata.uid));
  const { create } = decideVerification({ ...gathered, trials });
  if (create === undefined) return undefined;
  try {
    const made = await createIfAbsent(client, create, operatorFieldManager, signal);
    if (made) announce(context, policy, create);
    return undefined;
  } catch (error) {
    const refusal = refusalOf(error, create.kind);
    if (refusal === undefined) throw error;
    return { type: 'Verified', status: 'Unknown', reason: refusal.reason, message: refusal.message };
  }
}

async function listTrials(
  { client }: Context,
  kind: string,
  { metadata }: BackupPolicy,
  signal: AbortSignal,
): Promise<readonly Trial[]> {
  const labelSelector = `${labels.verification}=${labelValue(metadata.name)}`;
  const items = await list<Trial>(client, kind, metadata.namespace, labelSelector, signal);
  return items.map((item) => ({ ...item, apiVersion, kind }) as Trial);
}

function announce(context: Context, policy: Cached<BackupPolicy>, { kind, metadata }: Desired): void {
  const note = `${kind} ${metadata.name} restores a backup to a scratch server and questions it`;
  context.record(policy, { type: 'Normal', reason: 'VerificationStarted', action: 'Verify', note });
}

async function writeMark(
  { client, record }: Context,
  { run, verified, conditions }: Mark,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, uid } = run.metadata;
  const body = {
    apiVersion,
    kind: 'BackupRun',
    metadata: { namespace, name, uid },
    status: { ...(verified === undefined ? {} : { verified }), conditions },
  };
  try {
    await applyStatus(client, body, verificationFieldManager, signal);
  } catch (error) {
    // The run is gone, and with it whom it would be told of.
    if (isNotFound(error)) return;
    throw error;
  }
  const [condition] = conditions;
  if (condition?.status === 'False')
    record(run as Cached<BackupRun>, {
      type: 'Warning',
      reason: 'VerificationFailed',
      action: 'Verify',
      note: condition.message,
    });
}

async function startReplacement(
  context: Context,
  policy: Cached<BackupPolicy>,
  due: VerificationDecision['backup'],
  signal: AbortSignal,
): Promise<void> {
  if (due === undefined) return;
  const { name, namespace } = policy.metadata;
  const run = {
    apiVersion,
    kind: 'BackupRun',
    metadata: { name: due.name, namespace, labels: policyLabels(name) },
    spec: { policyRef: { name }, method: due.method, type: 'Full' },
  };
  const made = await createIfAbsent(context.client, run, operatorFieldManager, signal);
  if (!made) return;
  const note = `BackupRun ${due.name} was started: ${due.why}`;
  context.record(policy, { type: 'Warning', reason: 'NewFullBackup', action: 'Verify', note });
}
