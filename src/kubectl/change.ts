import { apply, type Desired } from '../kube/objects.ts';
import type { Work } from './objects.ts';
import { type Format, yaml } from './print.ts';
import { fieldManager, type Session } from './session.ts';

export interface ChangeOptions {
  readonly dryRun?: boolean;
  readonly output?: Format;
}

/**
 * Sets one field of an object's spec by server-side apply, as `kubectl apply --server-side` would with the YAML that
 * --dry-run prints. Only the object that was looked at: not one that has taken its name since. Each field has a field
 * manager of its own: an apply takes back what its manager has applied before and does not say again. Undefined for a dry
 * run.
 */
export async function change(
  { client, signal, terminal }: Session,
  { apiVersion, kind, metadata: { name, namespace, uid } }: Work,
  field: 'hold' | 'cancel',
  value: boolean,
  { dryRun = false }: ChangeOptions,
): Promise<Work | undefined> {
  const wanted: Desired = { apiVersion, kind, metadata: { name, namespace }, spec: { [field]: value } };
  if (dryRun) {
    terminal.out(yaml(wanted));
    return undefined;
  }
  const known = { ...wanted, metadata: { name, namespace, uid } };
  const changed = await apply(client, known, `${fieldManager}-${field}`, signal);
  return changed as unknown as Work;
}
