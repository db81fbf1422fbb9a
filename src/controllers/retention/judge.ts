import type { BackupPolicy } from '../../api/kinds.ts';
import type { AgentReport } from '../../api/report.ts';
import { findCondition, type NewCondition } from '../../domain/conditions.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import type { Refusal } from '../refusal.ts';

interface Judged {
  readonly policy: BackupPolicy;
  readonly job: FoundJob | undefined;
  readonly now: Date;
}

const type = 'RetentionApplied';
/** For the status of an agent that has ended to come through its watch. */
const patience = 30_000;

/** Whether what the rules let go does go, as the last Job has said. A Job that runs changes nothing until it has ended. */
export function retentionApplied(judged: Judged, hindrance: Refusal | undefined): NewCondition {
  const { policy } = judged;
  if (policy.spec.suspend)
    return { type, status: 'False', reason: 'Suspended', message: 'The policy is suspended, and nothing is deleted' };
  if (hindrance !== undefined) return { type, status: 'False', reason: hindrance.reason, message: hindrance.message };
  const word = lastWord(judged);
  if (word === undefined) return before(policy);
  const { outcome, reason, message } = word;
  if (outcome === 'Succeeded') return { type, status: reason === 'DryRun' ? 'False' : 'True', reason, message };
  // The next Job comes at once.
  if (reason === 'PolicyChanged') return before(policy);
  return { type, status: 'False', reason, message: `${message} It is tried again every hour.` };
}

/** Of the Job that ended last: what its agent has written, or left with the kubelet, or what Kubernetes says. */
export function lastWord({
  policy,
  job,
  now,
}: Judged): (Partial<AgentReport> & Pick<AgentReport, 'outcome' | 'reason' | 'message'>) | undefined {
  const report = policy.status?.retention?.report;
  const ended = report !== undefined && report.outcome !== 'Running' ? report : undefined;
  const end = job?.view.finished;
  if (job === undefined) return ended;
  if (end === undefined) return undefined;
  if (ended?.pod !== undefined && job.view.pods.some(({ name }) => name === ended.pod)) return ended;
  const left = job.view.pods.findLast(({ termination }) => termination !== undefined)?.termination;
  // What was done is known by the status alone.
  if (left !== undefined && left.outcome !== 'Succeeded') return left;
  if (now.getTime() - Date.parse(end.time) < patience) return undefined;
  if (left !== undefined) return left;
  // Its pod was removed since; an older report would fit its end by chance at most.
  if (
    ended !== undefined &&
    job.view.pods.length === 0 &&
    (ended.outcome === 'Succeeded') === (end.outcome === 'Complete')
  )
    return ended;
  return {
    outcome: 'Failed',
    reason: 'RetentionJobFailed',
    message: `The Job of retention ended without a word (${end.message || end.reason || end.outcome}), so nobody knows whether it deleted what was due. Look at its pod.`,
  };
}

/** Until a Job has ended, what was said before is so still. */
function before({ status }: BackupPolicy): NewCondition {
  const present = findCondition(status?.conditions, type);
  if (present === undefined || present.reason === 'Suspended' || passing.has(present.reason))
    return { type, status: 'Unknown', reason: 'NotPlannedYet', message: 'What retention deletes is being planned' };
  const { status: said, reason, message } = present;
  return { type, status: said, reason, message };
}

const passing = new Set(['NotImplemented', 'NoRule', 'RepositoryNotReady', 'RepositoryNotFound', 'RepositoryReadOnly']);
