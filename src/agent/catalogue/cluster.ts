import { apiVersion, type BackupRun, backupRun } from '../../api/kinds.ts';
import type { KnownRun } from '../../domain/catalogue/compare.ts';
import type { RunObject } from '../../domain/catalogue/run-of-manifest.ts';
import { transient } from '../../domain/failure.ts';
import { catalogueFieldManager } from '../../domain/labels.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { applyStatus, createIfAbsent, read } from '../../kube/objects.ts';
import { listRuns } from './list-runs.ts';

/** What the catalogue asks of the cluster and tells it. All reject where the API server does not answer. */
export interface CatalogueCluster {
  runs(): Promise<readonly KnownRun[]>;
  /** false where one of its name is there. */
  create(run: RunObject): Promise<boolean>;
  find(name: string): Promise<BackupRun | undefined>;
  /** The status of a run that was just created: written once, and whole. */
  describe(name: string, status: object): Promise<void>;
  /** What one repository has of a run's backup. */
  place(run: Pick<KnownRun, 'name' | 'uid'>, place: Place): Promise<void>;
}

export interface Place {
  readonly name: string;
  readonly state: 'Stored' | 'Removed';
  readonly path: string;
  readonly held?: boolean;
  readonly lost?: boolean;
}

const patience = 20_000;

export function catalogueCluster(
  client: KubeClient | undefined,
  namespace: string,
  signal: AbortSignal,
): CatalogueCluster {
  const within = () => AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  const connected = () => {
    if (client !== undefined) return client;
    throw transient(
      'ClusterUnreachable',
      'The API server cannot be asked which BackupRuns there are. Nothing was changed; it is tried again.',
    );
  };
  const apply = (name: string, uid: string | undefined, status: object, manager: string) => {
    const { kind } = backupRun;
    const metadata = { name, namespace, ...(uid === undefined ? {} : { uid }) };
    return applyStatus(connected(), { apiVersion, kind, metadata, status }, manager, within());
  };
  return {
    runs: async () => listRuns(connected(), namespace, signal),
    create: async (run) => createIfAbsent(connected(), run, catalogueFieldManager, within()),
    find: async (name) => read<BackupRun>(connected(), backupRun.kind, namespace, name, within()),
    async describe(name, status) {
      await apply(name, undefined, status, catalogueFieldManager);
    },
    async place({ name, uid }, place) {
      try {
        // A manager for each repository: what one does not say any more is taken away.
        // Said in any case, or what another manager has said before would stay.
        const whole = { held: false, lost: false, ...place };
        await apply(name, uid, { repositories: [whole] }, `${catalogueFieldManager}-${place.name}`);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}
