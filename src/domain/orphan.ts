import type { Started } from './started.ts';

/** What is known of the run that began a backup: `unknown` where nobody could be asked. */
export type RunState = 'terminal' | 'active' | 'missing' | 'unknown';

/** A backup's folder without a manifest. */
export interface OrphanCandidate {
  /** undefined where started.json is missing or cannot be read. */
  readonly started: Started | undefined;
  /** When the newest object of the folder was written; undefined for an empty folder. */
  readonly newestObject: Date | undefined;
}

export interface OrphanContext {
  readonly now: Date;
  readonly runState: RunState;
  /** The attempt that asks: an earlier pod of its own Job is dead, since a Job runs one pod at a time. */
  readonly self?: { readonly jobName: string; readonly pod: string };
}

const graceAfterDeadline = 60 * 60 * 1000;
const ageWithoutRecord = 7 * 24 * 60 * 60 * 1000;

/** Whether a folder without a manifest is what a dead attempt left, and may be swept. In doubt it is not. */
export function isOrphan({ started, newestObject }: OrphanCandidate, context: OrphanContext): boolean {
  if (started === undefined) return isOld(newestObject, context.now);
  if (context.self !== undefined && context.self.jobName === started.jobName) return context.self.pod !== started.pod;
  switch (context.runState) {
    case 'terminal':
      return true;
    case 'active':
      return false;
    case 'missing':
    case 'unknown':
      return context.now.getTime() > deadline(started) + graceAfterDeadline;
  }
}

function isOld(newestObject: Date | undefined, now: Date): boolean {
  return newestObject !== undefined && now.getTime() - newestObject.getTime() > ageWithoutRecord;
}

function deadline({ startTime, deadlineSeconds }: Started): number {
  return Date.parse(startTime) + deadlineSeconds * 1000;
}
