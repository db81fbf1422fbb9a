import type { BackupRepository } from '../../api/kinds.ts';
import type { AgentReport } from '../../api/report.ts';
import { findCondition, type NewCondition } from '../../domain/conditions.ts';
import type { EventNote } from '../../kube/events.ts';
import type { FoundJob } from '../jobs/find-job.ts';
import type { Refusal } from '../refusal.ts';

interface Judged {
  readonly repository: BackupRepository;
  readonly job: FoundJob | undefined;
  readonly rejection?: Refusal | undefined;
  readonly now: Date;
}

type Word = Partial<AgentReport> & Pick<AgentReport, 'outcome' | 'reason' | 'message'>;

const type = 'CatalogueSynced';
/** For the status of an agent that has ended to come through its watch. */
const patience = 30_000;

/** Whether the BackupRuns and the repository say the same, as the last sync has found; undefined before the first. */
export function catalogueSynced(judged: Judged): NewCondition | undefined {
  const { repository, rejection } = judged;
  if (rejection !== undefined) return { type, status: 'False', reason: rejection.reason, message: rejection.message };
  const word = lastWord(judged);
  if (word === undefined) return before(repository);
  const { outcome, reason, message } = word;
  if (outcome !== 'Succeeded')
    return { type, status: 'False', reason, message: `${message} It is tried again every ten minutes.` };
  const { unknown = 0 } = repository.status?.catalogue ?? {};
  return { type, status: 'True', reason: unknown > 0 ? 'UnknownObjects' : reason, message };
}

/** Of the Job that ended last: what its agent has written, or left with the kubelet, or what Kubernetes says. */
export function lastWord({ repository, job, now }: Judged): Word | undefined {
  const report = repository.status?.catalogue?.report;
  const ended = report !== undefined && report.outcome !== 'Running' ? report : undefined;
  const end = job?.view.finished;
  if (job === undefined) return ended;
  if (end === undefined) return undefined;
  if (ended?.pod !== undefined && job.view.pods.some(({ name }) => name === ended.pod)) return ended;
  const left = job.view.pods.findLast(({ termination }) => termination !== undefined)?.termination;
  if (left !== undefined && left.outcome !== 'Succeeded') return left;
  if (now.getTime() - Date.parse(end.time) < patience) return undefined;
  // Its pod was removed since: an older report fits its end by chance at most.
  const isItsOwn = job.view.pods.length === 0 && (ended?.outcome === 'Succeeded') === (end.outcome === 'Complete');
  if (ended !== undefined && isItsOwn) return ended;
  return {
    outcome: 'Failed',
    reason: 'SyncJobFailed',
    message: `The Job that reads the catalogue ended without a word (${end.message || end.reason || end.outcome}). Look at its pod.`,
    completionTime: end.time,
  };
}

/** Until the next Job has ended, what was said before is so still. */
function before({ status }: BackupRepository): NewCondition | undefined {
  const present = findCondition(status?.conditions, type);
  if (present === undefined)
    return { type, status: 'Unknown', reason: 'Syncing', message: 'The catalogue is being read' };
  const { status: said, reason, message } = present;
  return { type, status: said, reason, message };
}

/** What a person should look at, when it becomes known: a failure, backups that are gone, things that nobody knows. */
export function eventsOfSync({ repository, job }: Judged, condition: NewCondition | undefined): readonly EventNote[] {
  if (condition === undefined || condition.status === 'Unknown') return [];
  const present = findCondition(repository.status?.conditions, type);
  const action = 'Sync';
  const { reason, message } = condition;
  if (condition.status === 'False')
    return present?.status === 'False' && present.reason === reason
      ? []
      : [{ type: 'Warning', reason, action, note: message }];
  // The end of a sync is told when its word is heard: the message changes with what was found.
  if (present?.message === message) return [];
  const { lost = 0, made = 0, unknown = 0 } = repository.status?.catalogue ?? {};
  if (lost > 0) return [{ type: 'Warning', reason: 'BackupsLost', action, note: message }];
  if (unknown > 0 && present?.reason !== 'UnknownObjects')
    return [{ type: 'Warning', reason: 'UnknownObjects', action, note: message }];
  return made > 0 || (job !== undefined && present === undefined)
    ? [{ type: 'Normal', reason, action, note: message }]
    : [];
}
