import type { BackupRun } from '../api/kinds.ts';

export function newestFirst(runs: readonly BackupRun[]): readonly BackupRun[] {
  return runs.toSorted((a, b) => begun(b) - begun(a) || (a.metadata.name < b.metadata.name ? 1 : -1));
}

/** Milliseconds: when it began, or was asked for. */
export function begun({ metadata, status }: BackupRun): number {
  return Date.parse(status?.startTime ?? metadata.creationTimestamp);
}
