import type { Condition } from '../../api/condition.ts';
import { findCondition } from '../../domain/conditions.ts';

/** 1 or 0; undefined while it is Unknown or nothing was said. */
export function holds(conditions: readonly Condition[] | undefined, type: string): number | undefined {
  const status = findCondition(conditions, type)?.status;
  return status === 'True' ? 1 : status === 'False' ? 0 : undefined;
}

/** Seconds since 1970. */
export function instant(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1000;
}

/** Of a wide integer, which is text. */
export function amount(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
