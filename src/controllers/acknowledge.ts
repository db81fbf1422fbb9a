import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '../api/condition.ts';
import { conditionsAfter, findCondition } from '../domain/conditions.ts';
import { isStanding, standing } from '../domain/standing.ts';
import type { KubeObject } from '../kube/client.ts';
import type { Context } from './context.ts';
import { writeStatus } from './write-status.ts';

interface Ended extends KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubeObject['metadata'] & { readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number | undefined;
    readonly conditions?: readonly Condition[] | undefined;
  };
}

/**
 * What has ended stays as it is; but a change of its spec (`hold`, `cancel`) is taken note of, or whoever compares
 * generations would wait for ever. What an earlier version ended is told in the same words as well.
 */
export async function acknowledge(
  context: Context,
  run: Ended,
  owned: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const status = acknowledged(run, owned, context.clock.now());
  return status === undefined ? false : await writeStatus(context, run, owned, status, signal);
}

/** Undefined where there is nothing to write. */
export function acknowledged(
  { metadata, status = {} }: Ended,
  owned: readonly string[],
  now: Date,
): Readonly<Record<string, unknown>> | undefined {
  const { conditions = [], observedGeneration } = status;
  const succeeded = findCondition(conditions, 'Succeeded');
  if (succeeded === undefined) return undefined;
  const wanted = standing(succeeded);
  const marks = conditions.filter(isStanding);
  const told = isDeepStrictEqual(marks.map(bare), wanted.map(bare));
  if (told && (observedGeneration ?? metadata.generation) === metadata.generation) return undefined;
  const present = status as Readonly<Record<string, unknown>>;
  const kept = owned.flatMap((field) => (present[field] === undefined ? [] : [[field, present[field]] as const]));
  return {
    ...Object.fromEntries(kept),
    observedGeneration: metadata.generation,
    conditions: [
      ...conditionsAfter(conditions, [succeeded, ...wanted], metadata.generation, now),
      ...conditions.filter((each) => each.type !== succeeded.type && !isStanding(each)),
    ],
  };
}

function bare({ type, status, reason }: Pick<Condition, 'type' | 'status' | 'reason'>): object {
  return { type, status, reason };
}
