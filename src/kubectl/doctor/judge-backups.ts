import type { BackupRun } from '../../api/kinds.ts';
import { duration, relative } from '../../domain/display/quantities.ts';
import { labels } from '../../domain/labels.ts';
import { nextFiring } from '../../domain/schedule.ts';
import { begun, newestFirst } from '../runs.ts';
import { type Check, ok, problem, warning } from './check.ts';
import type { Gathered } from './gather.ts';

/** A Job may wait for a node. */
const grace = 15 * 60_000;

/** Whether backups came when they were due, and what can be brought back. */
export function judgeBackups(gathered: Gathered): readonly Check[] {
  return [...lastBackup(gathered), ...missed(gathered), ...window(gathered)];
}

function lastBackup({ policy, runs, now }: Gathered): readonly Check[] {
  const { metadata, status } = policy;
  const subject = 'last backup';
  const time = status?.lastSuccessfulRun?.completionTime;
  const running = runs.find((run) => run.status?.phase === 'Running');
  if (time === undefined) {
    const remedy =
      running === undefined
        ? `Make one now: kubectl tidemark backup ${metadata.name}`
        : `Wait for ${running.metadata.name}, which runs.`;
    return [problem(subject, 'No backup has succeeded yet: nothing can be brought back.', remedy)];
  }
  const [newest] = newestFirst(runs.filter((run) => ['Completed', 'Failed'].includes(run.status?.phase ?? '')));
  if (newest?.status?.phase === 'Failed')
    return [
      problem(
        subject,
        `${newest.metadata.name} failed: ${newest.status.error || 'it is not told why'}`,
        `kubectl tidemark logs run/${newest.metadata.name}; the last that succeeded ended ${relative(time, now)}.`,
      ),
    ];
  return [ok(subject, `${status?.lastSuccessfulRun?.name ?? 'It'} succeeded ${relative(time, now)}.`)];
}

/** A firing that nothing came of, since the schedule's CronJob was made or last fired. */
function missed({ policy, runs, cronJobs, now }: Gathered): readonly Check[] {
  if (policy.spec.suspend) return [];
  return policy.spec.schedules.flatMap(({ name, cron, timeZone }) => {
    const seen = cronJobs.find((each) => each.name === name)?.seen;
    if (seen?.state !== 'found' || seen.thing.spec.suspend === true) return [];
    const { metadata, status } = seen.thing;
    const [newest] = newestFirst(runs.filter((run) => scheduleOf(run) === name));
    const fired = [metadata.creationTimestamp, status?.lastScheduleTime ?? ''].map((time) => Date.parse(time));
    const since = Math.max(...[...fired, newest === undefined ? Number.NaN : begun(newest)].filter(Number.isFinite));
    const due = dueAfter(cron, timeZone, new Date(since));
    if (due === undefined || due.getTime() + grace > now.getTime()) return [];
    const late = duration((now.getTime() - due.getTime()) / 1000);
    const message = `By its cron a backup was due at ${due.toISOString()}, ${late} ago, and none began since.`;
    return [warning(`schedule ${name}`, message, missedRemedy)];
  });
}

const missedRemedy =
  'Where the schedule was changed or resumed since, this is no fault. Otherwise see kubectl get cronjobs,jobs: Kubernetes gives a CronJob up that missed its time 100 times in a row.';

function scheduleOf({ metadata }: BackupRun): string | undefined {
  return metadata.labels?.[labels.schedule];
}

function dueAfter(cron: string, timeZone: string, after: Date): Date | undefined {
  try {
    return nextFiring(cron, timeZone, after);
  } catch {
    return undefined;
  }
}

function window({ policy, now }: Gathered): readonly Check[] {
  const { metadata, spec, status } = policy;
  const subject = 'restorable window';
  if (spec.walArchiving.mode === 'None') return [];
  const { earliestTime, latestTime, gaps = [] } = status?.restorable ?? {};
  if (earliestTime === undefined || latestTime === undefined)
    return [
      problem(
        subject,
        'No moment can be recovered yet: a base backup and the WAL after it are needed.',
        `kubectl tidemark backup ${metadata.name} --method physical`,
      ),
    ];
  const words = `Every moment from ${relative(earliestTime, now)} to ${relative(latestTime, now)}`;
  const last = gaps.at(-1);
  if (last === undefined) return [ok(subject, `${words}, without a gap.`)];
  return [
    warning(
      subject,
      `${words}, but for ${gaps.length} gap${gaps.length === 1 ? '' : 's'}, the last one ${last.fromWal} to ${last.toWal}.`,
      'What was lost does not come back. A new full backup begins by itself behind a gap; see kubectl tidemark timeline.',
    ),
  ];
}
