import type { Condition } from '../api/condition.ts';
import { conditionsAfter, findCondition } from '../domain/conditions.ts';
import type { KubeObject } from '../kube/client.ts';
import type { Outcome } from '../kube/controller.ts';
import type { Context } from './context.ts';
import type { Refusal } from './refusal.ts';
import { writeStatus } from './write-status.ts';

interface Refused extends KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubeObject['metadata'] & { readonly generation: number };
  readonly status?: { readonly conditions?: readonly Condition[] | undefined };
}

/**
 * Says of a policy or repository that cannot even be read why that is. What it had before stays as it is, and nothing is
 * done until it changes.
 */
export async function refuseObject(
  context: Context,
  object: Refused,
  { reason, message }: Refusal,
  action: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const before = object.status?.conditions;
  const { generation } = object.metadata;
  const ready = { type: 'Ready', status: 'False', reason, message } as const;
  const stalled = { type: 'Stalled', status: 'True', reason, message } as const;
  const conditions = conditionsAfter(before, [ready, stalled], generation, context.clock.now());
  const status = { observedGeneration: generation, conditions };
  await writeStatus(context, object, ['observedGeneration', 'conditions'], status, signal);
  if (findCondition(before, 'Ready')?.reason !== reason)
    context.record(object, { type: 'Warning', reason, action, note: message });
  return 'done';
}
