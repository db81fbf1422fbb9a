import type { Condition } from '../api/condition.ts';

export type NewCondition = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/**
 * The conditions as they are to be written: the wanted ones, each with the time of its last change of status, which is
 * the present only where the status differs from what stood there.
 */
export function conditionsAfter(
  before: readonly Condition[] | undefined,
  wanted: readonly NewCondition[],
  generation: number,
  now: Date,
): readonly Condition[] {
  return wanted.map((condition) => {
    const old = before?.find(({ type }) => type === condition.type);
    const lastTransitionTime =
      old !== undefined && old.status === condition.status ? old.lastTransitionTime : rfc3339(now);
    return {
      ...condition,
      message: condition.message.slice(0, 4096),
      lastTransitionTime,
      observedGeneration: generation,
    };
  });
}

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Kubernetes writes times in whole seconds. */
export function rfc3339(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}
