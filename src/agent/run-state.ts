import { type BackupRun, backupRun } from '../api/kinds.ts';
import type { RunState } from '../domain/orphan.ts';
import type { Started } from '../domain/started.ts';
import type { KubeClient } from '../kube/client.ts';
import { read } from '../kube/objects.ts';

const ended: ReadonlySet<string> = new Set(['Completed', 'Failed', 'Cancelled', 'Expired']);

/** What became of the run that began a backup; `unknown` where the API server cannot be asked. */
export async function runStateOf(
  client: KubeClient | undefined,
  namespace: string,
  { run, runUID }: Started,
  signal: AbortSignal,
): Promise<RunState> {
  if (client === undefined) return 'unknown';
  try {
    const found = await read<BackupRun>(client, backupRun.kind, namespace, run, signal);
    if (found === undefined || (runUID !== undefined && found.metadata.uid !== runUID)) return 'missing';
    return ended.has(found.status?.phase ?? '') ? 'terminal' : 'active';
  } catch {
    signal.throwIfAborted();
    return 'unknown';
  }
}
