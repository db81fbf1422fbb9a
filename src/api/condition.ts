import { z } from 'zod';
import { formed, integer, listMap, text, time } from './schema.ts';

/** metav1.Condition, as Kubernetes' API conventions describe it. */
export const condition = z.object({
  type: formed('^[A-Za-z][A-Za-z0-9]*$', 64, 'must be CamelCase'),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: formed('^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$', 128, 'must be CamelCase'),
  message: text(4096),
  lastTransitionTime: time,
  observedGeneration: integer(-1, Number.MAX_SAFE_INTEGER).optional(),
});

export const conditions = listMap(condition, 'type', 16);

export type Condition = z.output<typeof condition>;
