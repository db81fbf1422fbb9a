import type { BackupPolicy } from '../../api/kinds.ts';
import { slotName } from './build-watcher.ts';
import { abandonArchiving, sidecarName } from './marks.ts';

/** For whoever has a policy go without anything being taken back: what is left, and how it goes. */
export function whatStays({ metadata, spec, status }: BackupPolicy): string {
  const { workloadRef, host } = spec.source;
  const server =
    workloadRef === undefined ? `the server ${host}` : `the server of ${workloadRef.kind} ${workloadRef.name}`;
  const words = `Nothing is taken back, since ${abandonArchiving} says so. Where ${server} comes back,`;
  const slot = status?.wal?.slot?.name ?? slotName(metadata.namespace, metadata.name);
  if (spec.walArchiving.mode === 'Stream' || status?.wal?.slot !== undefined)
    return `${words} its replication slot keeps WAL until the disk is full. There, run: SELECT pg_drop_replication_slot('${slot}');`;
  return `${words} it keeps all WAL that is not archived. There, run: ALTER SYSTEM RESET archive_mode; ALTER SYSTEM RESET archive_command; ALTER SYSTEM RESET archive_timeout; then take the container ${sidecarName}, its mounts and its volumes out of the pod template, which restarts the server.`;
}
