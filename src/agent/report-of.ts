import type { AgentReport } from '../api/report.ts';
import { Failure, transient } from '../domain/failure.ts';
import { agentExit } from '../domain/task.ts';

export type Verdict = Pick<AgentReport, 'outcome' | 'reason' | 'message' | 'retryable'>;

/** Why an agent stops that is told to. */
export function cancelled(): Failure {
  return transient(
    'Cancelled',
    'The pod was told to stop: the run was cancelled, its deadline passed, or its node was drained. What had been written was removed.',
  );
}

/** What nobody foresaw, for the report; the details are in the log. */
export function unforeseen(error: unknown): Failure {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return transient(
    'InternalError',
    `Something went wrong that Tidemark has no words for: ${said}. The agent's log has the details.`,
    error,
  );
}

export function reportOf(error: unknown): Verdict {
  const { reason, message, retryable } = error instanceof Failure ? error : unforeseen(error);
  return { outcome: reason === 'Cancelled' ? 'Cancelled' : 'Failed', reason, message, retryable };
}

export function exitCodeOf({ outcome, retryable }: Verdict): number {
  if (outcome === 'Succeeded') return agentExit.succeeded;
  if (outcome === 'Cancelled') return agentExit.cancelled;
  return retryable === true ? agentExit.retryable : agentExit.terminal;
}
