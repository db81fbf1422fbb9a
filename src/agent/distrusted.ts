import { type BackupRun, backupRun } from '../api/kinds.ts';
import { findCondition } from '../domain/conditions.ts';
import type { KubeClient } from '../kube/client.ts';
import { read } from '../kube/objects.ts';

/**
 * Whether the BackupRun of a backup says that a verification of it has failed. One that is gone, or an API server that
 * does not answer, says nothing against it: backups are made all the same.
 */
export async function isDistrusted(
  client: KubeClient | undefined,
  namespace: string,
  { run, backupID }: { readonly run: string; readonly backupID: string },
  signal: AbortSignal,
): Promise<boolean> {
  if (client === undefined || run === '') return false;
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(10_000)]);
    const found = await read<BackupRun>(client, backupRun.kind, namespace, run, within);
    if (found?.status?.backupID !== backupID) return false;
    return findCondition(found.status.conditions, 'Verified')?.status === 'False';
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
