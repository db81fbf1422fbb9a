import type { BackupRunStatus } from '../../api/backup-run.ts';
import type { HookPhase } from '../../api/hooks.ts';

/** The body that POST and PUT send; docs/hooks.md has every field. A field may be added; one that is there stays. */
export interface Notice {
  readonly version: 1;
  /** The same for each try of one and the same hook of one and the same run: who gets it twice may know it. */
  readonly id: string;
  /** One sentence: what Slack, Mattermost and their like show. */
  readonly text: string;
  readonly hook: string;
  readonly namespace: string;
  readonly policy: string;
  readonly run: string;
  readonly schedule?: string;
  readonly method: string;
  readonly type: string;
  readonly phase: 'Running' | HookPhase;
  readonly reason: string;
  /** Why it failed and what to do; empty otherwise. */
  readonly error: string;
  readonly backupID?: string;
  /** Bytes, as decimal numbers. */
  readonly sourceBytes?: string;
  readonly storedBytes?: string;
  readonly startTime?: string;
  readonly completionTime?: string;
  readonly durationSeconds?: number;
}

export interface Told {
  readonly namespace: string;
  readonly policy: string;
  readonly run: string;
  readonly runUID: string | undefined;
  readonly schedule: string | undefined;
  readonly method: string;
  /** What was asked for; status.type says what was made. */
  readonly type: string;
  readonly phase: Notice['phase'];
  readonly reason: string;
  readonly error: string;
  readonly status: Pick<BackupRunStatus, 'backupID' | 'size' | 'startTime' | 'completionTime' | 'type'>;
}

export function noticeOf(told: Told, hook: string): Notice {
  const { status, namespace, policy, run, schedule, method, phase, reason, error } = told;
  const { backupID, size, startTime, completionTime } = status;
  const took = startTime === undefined || completionTime === undefined ? undefined : between(startTime, completionTime);
  const facts = {
    ...{ schedule, backupID, sourceBytes: size?.source, storedBytes: size?.stored },
    ...{ startTime, completionTime, durationSeconds: took },
  };
  return {
    version: 1,
    id: `${told.runUID ?? run}/${hook}`,
    text: sentence(told),
    hook,
    ...{ namespace, policy, run, method, type: status.type ?? told.type, phase, reason, error },
    ...Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)),
  };
}

const doing = {
  Running: 'begins',
  Completed: 'completed',
  Failed: 'failed',
  Cancelled: 'was cancelled',
} as const;

function sentence({ namespace, policy, run, method, phase, error, status }: Told): string {
  const size = phase === 'Completed' && status.size?.stored !== undefined ? `, ${status.size.stored} bytes stored` : '';
  const why = error === '' ? '' : `: ${error}`;
  return `${method} backup ${run} of ${namespace}/${policy} ${doing[phase]}${size}${why}`;
}

function between(start: string, end: string): number | undefined {
  const seconds = Math.round((Date.parse(end) - Date.parse(start)) / 1000);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
