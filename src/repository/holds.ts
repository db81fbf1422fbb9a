import { holdName } from '../domain/layout.ts';
import type { Store } from './store.ts';

/** Says beside a backup's manifest that a BackupRun holds it: whoever deletes there asks isHeld() first. */
export async function putHold(
  store: Store,
  path: string,
  by: { readonly namespace: string; readonly run: string },
  signal: AbortSignal,
): Promise<void> {
  if (await isHeld(store, path, signal)) return;
  const body = Buffer.from(`${JSON.stringify({ format: 1, ...by })}\n`);
  await store.put(`${path}/${holdName}`, body, { ifAbsent: false, contentType: 'application/json', signal });
}

export async function removeHold(store: Store, path: string, signal: AbortSignal): Promise<void> {
  await store.delete([`${path}/${holdName}`], { signal });
}

export async function isHeld(store: Store, path: string, signal: AbortSignal): Promise<boolean> {
  return (await store.head(`${path}/${holdName}`, { signal })) !== undefined;
}
