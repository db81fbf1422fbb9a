import type { WalStatus } from '../../api/backup-policy.ts';
import { backupPolicy } from '../../api/kinds.ts';
import type { WatchWalTask } from '../../domain/task.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { read } from '../../kube/objects.ts';

/** What the watcher before this one has said in the policy's status; undefined where there was none. */
export async function rememberedWal(
  client: KubeClient | undefined,
  { namespace, policy }: WatchWalTask,
  signal: AbortSignal,
): Promise<WalStatus | undefined> {
  if (client === undefined) return undefined;
  const found = await read<KubeObject & { readonly status?: { readonly wal?: WalStatus } }>(
    client,
    backupPolicy.kind,
    namespace,
    policy.name,
    signal,
  );
  return found?.metadata.uid === policy.uid ? found.status?.wal : undefined;
}
