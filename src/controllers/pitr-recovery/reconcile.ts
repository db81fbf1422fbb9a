import { isDeepStrictEqual } from 'node:util';
import type { PitrRecovery } from '../../api/kinds.ts';
import { pitrRecoverySpec } from '../../api/pitr-recovery.ts';
import { runningJobFinalizer } from '../../domain/labels.ts';
import type { Outcome } from '../../kube/controller.ts';
import { patchFinalizers, read } from '../../kube/objects.ts';
import { acknowledge } from '../acknowledge.ts';
import type { Cached, Context } from '../context.ts';
import { parseSpec } from '../parse-spec.ts';
import { isRefusal, type Refusal } from '../refusal.ts';
import { hasEnded } from '../run-progress.ts';
import { writeStatus } from '../write-status.ts';
import { decide, decideUndone } from './decide.ts';
import { gather } from './gather.ts';
import type { Decision } from './gathered.ts';
import { findJobs } from './jobs.ts';
import { perform } from './perform.ts';
import { ownedRecoveryStatus, recoveryEvents, recoveryStatus } from './progress.ts';

export async function reconcileRecovery(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const cached = context.caches.recoveries.get(namespace, name);
  if (cached === undefined) return 'done';
  if (hasEnded(cached) && !isMarked(cached)) {
    if (cached.metadata.deletionTimestamp === undefined)
      await acknowledge(context, cached, ownedRecoveryStatus, signal);
    return 'done';
  }
  // How many replicas a workload had is known from the status alone: one that is a moment old may not have it yet.
  const jobs = await findJobs(context.client, cached, signal);
  const recovery = await read<Cached<PitrRecovery>>(context.client, 'PitrRecovery', namespace, name, signal);
  if (recovery === undefined) return 'done';
  if (recovery.metadata.uid !== cached.metadata.uid) return { requeueAfterMilliseconds: 1_000 };
  const parsed = parseSpec(pitrRecoverySpec, recovery.spec, 'The PitrRecovery');
  if (isRefusal(parsed)) return await refuse(context, recovery, parsed, signal);
  const understood = { ...recovery, spec: parsed.spec };
  let decision = decide(await gather(context, understood, jobs, signal));
  const active = decision.lookAgainMilliseconds !== undefined || isMarking(decision);
  // Before anything is made: it must not outlive its recovery. After all is put away, when it has ended.
  if (active) await setFinalizers(context, recovery, decision, signal);
  const undone = await perform(context.client, recovery, decision.steps, signal);
  if (undone !== undefined) {
    // Some steps may have been done: what they made is put away too, where this is the end.
    decision = decideUndone(await gather(context, understood, jobs, signal), undone);
    await perform(context.client, recovery, decision.steps, signal);
  }
  if (!active || !isMarking(decision)) await setFinalizers(context, recovery, decision, signal);
  await writeDecision(context, recovery, decision, signal);
  return decision.lookAgainMilliseconds === undefined
    ? 'done'
    : { requeueAfterMilliseconds: decision.lookAgainMilliseconds };
}

function isMarked({ metadata }: Cached<PitrRecovery>): boolean {
  return metadata.finalizers?.includes(runningJobFinalizer) ?? false;
}

function isMarking({ finalizers }: Decision): boolean {
  return finalizers.includes(runningJobFinalizer);
}

/** One that cannot be read has made nothing. */
async function refuse(
  context: Context,
  recovery: Cached<PitrRecovery>,
  { reason, message }: Refusal,
  signal: AbortSignal,
): Promise<Outcome> {
  const finalizers = (recovery.metadata.finalizers ?? []).filter((name) => name !== runningJobFinalizer);
  await setFinalizers(context, recovery, { finalizers }, signal);
  if (hasEnded(recovery) || recovery.metadata.deletionTimestamp !== undefined) return 'done';
  const facts = { jobName: recovery.status?.jobName, replicas: recovery.status?.replicas, stage: 'Pending' } as const;
  const status = recoveryStatus(recovery, { state: 'Failed', reason, message }, facts, context.clock.now());
  await writeDecision(context, recovery, { status, events: recoveryEvents(recovery, status) }, signal);
  return 'done';
}

async function writeDecision(
  context: Context,
  recovery: Cached<PitrRecovery>,
  { status, events }: Pick<Decision, 'status' | 'events'>,
  signal: AbortSignal,
): Promise<void> {
  if (status !== undefined) await writeStatus(context, recovery, ownedRecoveryStatus, { ...status }, signal);
  for (const event of events) context.record(recovery, event);
}

/** A conflict where somebody has changed the object meanwhile: then all is looked at again. */
async function setFinalizers(
  { client }: Context,
  recovery: Cached<PitrRecovery>,
  { finalizers }: Pick<Decision, 'finalizers'>,
  signal: AbortSignal,
): Promise<void> {
  const present = recovery.metadata.finalizers ?? [];
  if (isDeepStrictEqual([...present].sort(), [...finalizers].sort())) return;
  await patchFinalizers(client, recovery, finalizers, signal);
}
