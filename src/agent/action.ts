import type { Task } from '../domain/task.ts';
import type { AgentLog } from './log.ts';
import type { Reporter } from './report.ts';

/** What main.ts hands to every action (backup, restore, probe, delete). */
export interface ActionContext<OfTask extends Task> {
  readonly task: OfTask;
  readonly reporter: Reporter;
  readonly log: AgentLog;
  /** Aborts with the Failure that is to be reported: `Cancelled` where the pod is told to stop. */
  readonly signal: AbortSignal;
}

/**
 * How an action ends well; it ends badly by throwing, a Failure where it knows what to say. main.ts turns either into the
 * report and the exit code.
 */
export interface ActionOutcome {
  /** CamelCase, such as BackupStored. */
  readonly reason: string;
  readonly message: string;
  /** What remains to be done when the success has been told, and cannot change it. Never rejects. */
  readonly afterwards?: () => Promise<void>;
  /** Not all came from the first repository. */
  readonly elsewhere?: boolean;
}
