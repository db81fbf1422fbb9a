import { expect } from 'vitest';
import { runPlanRecovery } from '../../../src/agent/recover/plan/run-plan.ts';
import type { RecoveryPlan } from '../../../src/api/pitr-recovery.ts';
import { Failure } from '../../../src/domain/failure.ts';
import type { PlanRecoveryTask } from '../../../src/domain/task.ts';
import { type Source, taskFor } from '../recover/source.ts';

export interface Plan {
  readonly backupID: string;
  readonly timeline: number;
  readonly targetTime?: string;
  readonly firstSegment: string;
  readonly lastSegment: string;
  readonly walBytes: string;
  readonly steps: readonly string[];
  readonly recovery: RecoveryPlan;
}

type Target = Partial<PlanRecoveryTask['target']>;

/** The plan of a recovery from this source. */
export async function planOf(source: Source, target: Target, more: Partial<PlanRecoveryTask> = {}): Promise<Plan> {
  const facts: Record<string, unknown> = {};
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const outcome = await runPlanRecovery({
    task: {
      action: 'plan-recovery',
      namespace: 'shop',
      ...anywhere,
      target: { targetTLI: 'latest', exclusive: false, backupID: '', ...target },
      destination: 'ask the assertions, and remove the recovered server',
      ...more,
    },
    reporter: {
      progress: () => undefined,
      facts: async (said) => void Object.assign(facts, said),
      finish: async () => undefined,
    },
    log,
    signal: AbortSignal.timeout(120_000),
    folders: { mountRoot: source.mountRoot },
  });
  expect(outcome.reason).toBe('Planned');
  return facts['plan'] as Plan;
}

const { source: from, recovery } = taskFor({} as RecoveryPlan, {}, '/');
export const anywhere = { source: from, recovery };

export async function refusalOf(source: Source, target: Target, more: Partial<PlanRecoveryTask> = {}) {
  const error = await planOf(source, target, more).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(Failure);
  const { reason, message, retryable } = error as Failure;
  expect(retryable, message).toBe(false);
  return { reason, message };
}
