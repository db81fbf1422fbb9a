import { isDeepStrictEqual } from 'node:util';
import { operatorFieldManager } from '../domain/labels.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeObject } from '../kube/client.ts';
import { applyStatus } from '../kube/objects.ts';
import type { Context } from './context.ts';

/**
 * Writes the operator's part of a status in one server-side apply, if it differs from what stands there. `owned` are all
 * the fields that the operator may write of this kind: one that is not in `status` any more is taken away.
 */
export async function writeStatus(
  { client }: Pick<Context, 'client'>,
  object: KubeObject & { readonly apiVersion: string; readonly kind: string },
  owned: readonly string[],
  status: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<boolean> {
  const present = (object.status ?? {}) as Readonly<Record<string, unknown>>;
  const differs = owned.some((field) => !isDeepStrictEqual(plain(present[field]), plain(status[field])));
  if (!differs) return false;
  const { apiVersion, kind, metadata } = object;
  const { name, uid } = metadata;
  const body = { apiVersion, kind, metadata: { name, namespace: metadata.namespace ?? '', uid }, status };
  try {
    await applyStatus(client, body, operatorFieldManager, signal);
  } catch (error) {
    // The object is gone: its watch will say so.
    if (isNotFound(error)) return false;
    throw error;
  }
  return true;
}

/** As JSON carries it: undefined members are absent ones. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
