import type { z } from 'zod';
import { type Refusal, refused } from './refusal.ts';

/**
 * The spec as the schema reads it, or why it cannot be read. The API server checks what is applied; an object that is
 * older than the present CRD may still hold what it would refuse today.
 */
export function parseSpec<Schema extends z.ZodType>(
  schema: Schema,
  spec: unknown,
  what: string,
): { readonly spec: z.output<Schema> } | Refusal {
  const { success, data, error } = schema.safeParse(spec);
  if (success) return { spec: data };
  const faults = error.issues.map(({ path, message }) => `${['spec', ...path.map(String)].join('.')}: ${message}`);
  return refused('InvalidSpec', `${what} cannot be read: ${faults.join('; ')}. Correct it and apply it again.`);
}
