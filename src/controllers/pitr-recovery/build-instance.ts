import type { PitrRecovery } from '../../api/kinds.ts';
import { labelValue } from '../../domain/label-value.ts';
import { annotations, labels } from '../../domain/labels.ts';
import type { Desired } from '../../kube/objects.ts';
import type { Place } from './place.ts';
import { claimOf, mountOf } from './place.ts';
import { plainServer } from './plain-server.ts';
import type { Container, PodSpec, ServerWorkload, Volume, VolumeMount } from './server.ts';

export interface InstanceParts {
  readonly recovery: Pick<PitrRecovery, 'metadata'>;
  readonly instance: NonNullable<PitrRecovery['spec']['target']['instance']>;
  /** What it is made like; undefined where nothing of the source is in the cluster. */
  readonly server: ServerWorkload | undefined;
  readonly image: string;
  readonly port: number;
  /** Of the source's data directory, before it was placed on the new volume. */
  readonly sourceDirectory: string;
  readonly place: Place;
  readonly major: number;
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** The claim that the StatefulSet's first pod takes for its own. */
export function claimName(instance: string): string {
  return `${dataVolume}-${instance}-0`;
}

/** The new server's volume: made first, and filled before the server may have it. */
export function buildClaim(parts: Pick<InstanceParts, 'recovery' | 'instance'>): Desired {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: metadataOf(parts, claimName(parts.instance.name)),
    spec: claimSpec(parts.instance),
  };
}

/** Headless, so that the pod has a name of its own too, by which it is backed up in its turn. */
export function buildService(parts: Pick<InstanceParts, 'recovery' | 'instance' | 'port'>): Desired {
  const { instance, port } = parts;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadataOf(parts, instance.name),
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: selectorOf(instance.name),
      ports: [{ name: 'postgres', port, targetPort: port, protocol: 'TCP' }],
    },
  };
}

/**
 * Made without a pod, before anything is recovered: what the API server does not take is known then, and the name is
 * taken. It gets its pod when the volume is ready. It carries labels of its own: with those of the source, the source's
 * Service would lead its clients here.
 */
export function buildStatefulSet(parts: InstanceParts): Desired {
  const { instance } = parts;
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: metadataOf(parts, instance.name),
    spec: {
      replicas: 0,
      serviceName: instance.name,
      selector: { matchLabels: selectorOf(instance.name) },
      template: {
        metadata: { labels: selectorOf(instance.name) },
        spec: parts.server === undefined ? plainServer(parts) : podLike(parts.server, parts),
      },
      volumeClaimTemplates: [{ metadata: { name: dataVolume }, spec: claimSpec(instance) }],
    },
  };
}

export const dataVolume = 'data';

/** Of Tidemark's archiving in the source's pods; the copy does not archive into the original's archive. */
const sidecar = 'tidemark-wal';

function metadataOf({ recovery, instance }: Pick<InstanceParts, 'recovery' | 'instance'>, name: string) {
  const { namespace, name: recoveryName, uid } = recovery.metadata;
  return {
    name,
    namespace,
    labels: { ...selectorOf(instance.name), [labels.recovery]: labelValue(recoveryName) },
    annotations: { [annotations.recovery]: uid },
  };
}

function selectorOf(instance: string): Readonly<Record<string, string>> {
  return { 'app.kubernetes.io/name': instance };
}

function claimSpec({ storage }: InstanceParts['instance']) {
  return {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: storage.size } },
    ...(storage.storageClassName === undefined ? {} : { storageClassName: storage.storageClassName }),
  };
}

/** What decides how the server runs and where it may run; nothing that ties it to the source's other pods. */
const copied = [
  'automountServiceAccountToken',
  'dnsConfig',
  'dnsPolicy',
  'enableServiceLinks',
  'imagePullSecrets',
  'nodeSelector',
  'priorityClassName',
  'runtimeClassName',
  'securityContext',
  'serviceAccountName',
  'terminationGracePeriodSeconds',
  'tolerations',
] as const;

function podLike(server: ServerWorkload, parts: InstanceParts): PodSpec {
  const { pod } = server;
  const data = mountOf(server, parts.sourceDirectory)?.name;
  const kept = keptVolumes(server, data);
  const affinity = (pod['affinity'] as { readonly nodeAffinity?: unknown } | undefined)?.nodeAffinity;
  // Containers beside the server may do something about it elsewhere, such as ship its WAL; those before it prepare it.
  const initContainers = (pod.initContainers ?? []).filter(
    ({ name, restartPolicy }) => restartPolicy !== 'Always' && name !== sidecar,
  );
  return {
    ...Object.fromEntries(copied.flatMap((field) => (pod[field] === undefined ? [] : [[field, pod[field]]]))),
    ...(affinity === undefined ? {} : { affinity: { nodeAffinity: affinity } }),
    ...(initContainers.length === 0
      ? {}
      : { initContainers: initContainers.map((each) => withMounts(each, kept, othersOf(each, data, parts))) }),
    containers: [{ ...withMounts(server.container, kept, [parts.place.served]), image: parts.image }],
    ...(kept.length === 0 ? {} : { volumes: kept.map((volume) => ({ ...volume, name: renamed(volume.name) })) }),
  };
}

/** Volumes that another pod may have too: no claims, nothing of Tidemark's, no token that the API server put in. */
function keptVolumes(server: ServerWorkload, data: string | undefined): readonly Volume[] {
  const { pod, container } = server;
  const initial = (pod.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy !== 'Always');
  const mounted = [container, ...initial].flatMap(({ volumeMounts = [] }) => volumeMounts);
  return (pod.volumes ?? []).filter(({ name }) => {
    const mount = mounted.find((each) => each.name === name);
    if (mount === undefined || name === data || name === sidecar || name.startsWith('kube-api-access-')) return false;
    return claimOf(server, mount) === undefined;
  });
}

/** An init container may have the data's volume elsewhere, or another folder of it, to make what the server starts on. */
function othersOf(
  { volumeMounts = [] }: Container,
  data: string | undefined,
  { place, server, sourceDirectory }: InstanceParts,
): readonly Served[] {
  const served = server === undefined ? undefined : mountOf(server, sourceDirectory);
  return volumeMounts.flatMap(({ name, ...mount }) => {
    if (name !== data) return [];
    return mount.mountPath.replace(/(?<=.)\/+$/, '') === served?.mountPath ? [place.served] : [mount];
  });
}

function withMounts(container: Container, kept: readonly Volume[], data: readonly Served[]): Container {
  const others: readonly VolumeMount[] = (container.volumeMounts ?? [])
    .filter(({ name }) => kept.some((volume) => volume.name === name))
    .map((mount) => ({ ...mount, name: renamed(mount.name) }));
  return { ...container, volumeMounts: [...data.map((mount) => ({ name: dataVolume, ...mount })), ...others] };
}

type Served = Place['served'];

/** The claim's template has the name `data`, whatever the source called its volumes. */
function renamed(name: string): string {
  return name === dataVolume ? 'source-data' : name;
}
