import type { PitrRecovery } from '../../api/kinds.ts';
import { quantityOf } from '../../domain/quantity.ts';
import { isRefusal, type Refusal, refused } from '../refusal.ts';
import { mountOf, type Place, placeLike, placePlainly, placeWithin } from './place.ts';
import type { ServerWorkload } from './server.ts';
import { serverPort } from './server.ts';
import type { RecoverySource } from './source.ts';

/** All that a recovery has to know of its cluster before it makes anything. */
export interface Surroundings {
  readonly source: RecoverySource;
  /** The workload to be like, or in place: the one to fill. Undefined where the source has none in the cluster. */
  readonly server: ServerWorkload | undefined;
  /** The data's claim of that workload, where it has one and it was found. */
  readonly claim: DataClaim | undefined;
  /** Addresses of the server that `extract` writes into. */
  readonly extractHosts: readonly string[];
}

export interface DataClaim {
  readonly name: string;
  readonly storageClassName?: string;
  readonly capacity?: string;
}

export function imageOf({ spec }: PitrRecovery, { server }: Pick<Surroundings, 'server'>): string | Refusal {
  const { instance, ephemeral } = spec.target;
  const chosen = instance?.image || ephemeral?.image || server?.container.image;
  if (chosen !== undefined) return chosen;
  return refused(
    'ImageUnknown',
    `The workload of the source is not in the cluster, so it is not known which image could run the server. Name one of the same PostgreSQL major version in target.${instance === undefined ? 'ephemeral' : 'instance'}.image.`,
  );
}

/** The port of the recovered server. */
export function portOf({ source, server }: Pick<Surroundings, 'source' | 'server'>): number {
  return server === undefined ? source.port : serverPort(server.container, source.port);
}

/** Where the data goes, once the plan says where it was. */
export function placeOf(
  { spec }: PitrRecovery,
  { server }: Pick<Surroundings, 'server'>,
  dataDirectory: string,
): Place | Refusal {
  if (spec.target.inPlace === undefined)
    return server === undefined ? placePlainly(dataDirectory) : placeLike(server, dataDirectory);
  return server === undefined
    ? refused('TargetNotFound', `${spec.target.inPlace.workloadRef.kind} of target.inPlace does not exist.`)
    : placeWithin(server, dataDirectory);
}

/** The volume that the recovery's pod fills. */
export function volumeOf(
  { metadata, spec }: Pick<PitrRecovery, 'metadata' | 'spec'>,
  { server, claim }: Pick<Surroundings, 'server' | 'claim'>,
  plan: { readonly dataDirectory: string; readonly bytes: string; readonly walBytes: string | undefined },
  instanceClaim: (instance: string) => string,
): Readonly<Record<string, unknown>> | Refusal {
  const { instance, inPlace } = spec.target;
  if (instance !== undefined) return { persistentVolumeClaim: { claimName: instanceClaim(instance.name) } };
  if (inPlace !== undefined) {
    const within = server === undefined ? undefined : placeWithin(server, plan.dataDirectory);
    if (within === undefined)
      return refused(
        'TargetNotFound',
        `${inPlace.workloadRef.kind} ${metadata.namespace}/${inPlace.workloadRef.name} does not exist.`,
      );
    return isRefusal(within) ? within : { persistentVolumeClaim: { claimName: within.claim } };
  }
  // Where the source has no volume that could be asked for its class, it is the node's own disk.
  if (server === undefined || claim === undefined || mountOf(server, plan.dataDirectory) === undefined)
    return { emptyDir: {} };
  const { storageClassName } = claim;
  return {
    ephemeral: {
      volumeClaimTemplate: {
        spec: {
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: roomFor(plan) } },
          ...(storageClassName === undefined ? {} : { storageClassName }),
        },
      },
    },
  };
}

/** Half as much again as the data, and all the WAL that is replayed, which a server keeps until its next checkpoint. */
export function roomFor({
  bytes,
  walBytes,
}: {
  readonly bytes: string;
  readonly walBytes: string | undefined;
}): string {
  const gibibytes = (Number(bytes) * 1.5 + Number(walBytes ?? 0)) / 2 ** 30;
  return `${Math.max(1, Math.ceil(gibibytes))}Gi`;
}

/** Bytes that the target's volume has; undefined where only the cluster will tell. */
export function capacityOf({ spec }: PitrRecovery, { claim }: Pick<Surroundings, 'claim'>): string | undefined {
  const size = spec.target.instance?.storage.size ?? (spec.target.inPlace === undefined ? undefined : claim?.capacity);
  const bytes = size === undefined ? Number.NaN : quantityOf(size);
  return Number.isFinite(bytes) ? String(Math.floor(bytes)) : undefined;
}
