import type { BackupPolicy, BackupRepository, BackupRun, PitrRecovery, RestoreRequest } from '../../api/kinds.ts';

/** A collection that the operator follows anyway; the page asks nobody else. */
export interface Shelf<Shape> {
  readonly isSynced: boolean;
  /** Milliseconds for which its watch has failed; 0 while it is well. */
  readonly staleFor: number;
  list(): readonly Shape[];
  get(namespace: string, name: string): Shape | undefined;
}

export interface Seen {
  readonly policies: Shelf<BackupPolicy>;
  readonly runs: Shelf<BackupRun>;
  readonly restores: Shelf<RestoreRequest>;
  readonly recoveries: Shelf<PitrRecovery>;
  readonly repositories: Shelf<BackupRepository>;
  /** The policy's own, by namespace/name. */
  readonly runsOf: (policy: string) => readonly BackupRun[];
  /** This replica's name. */
  readonly replica: string;
  readonly leads: () => boolean;
}

/** A watch may be between two connections for so long, and nobody needs to know. */
const worthSaying = 60_000;

/** Why what is seen must not be taken for what is; undefined while the collections follow the API server. */
export function blindness(seen: Seen): { readonly isFilled: boolean; readonly staleFor: number } | undefined {
  const shelves = [seen.policies, seen.runs, seen.restores, seen.recoveries, seen.repositories];
  const isFilled = shelves.every(({ isSynced }) => isSynced);
  const staleFor = Math.max(...shelves.map((shelf) => shelf.staleFor));
  return isFilled && staleFor < worthSaying ? undefined : { isFilled, staleFor };
}
