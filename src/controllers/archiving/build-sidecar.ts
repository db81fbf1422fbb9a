import type { BackupPolicy } from '../../api/kinds.ts';
import { mounts } from '../../domain/mounts.ts';
import { type ArchiveTask, agentEnvironment, type RepositoryTask } from '../../domain/task.ts';
import type { Desired } from '../../kube/objects.ts';
import { type AgentSettings, hashOf } from '../jobs/build-job.ts';
import { volumesOf } from '../jobs/volumes.ts';
import type { ServerWorkload } from '../pitr-recovery/server.ts';
import { sidecarHash, sidecarName, sidecarPolicy } from './marks.ts';

export interface SidecarParts {
  readonly policy: BackupPolicy;
  readonly workload: ServerWorkload;
  readonly repositories: readonly RepositoryTask[];
  readonly systemIdentifier: string;
  /** Bytes. */
  readonly agent: AgentSettings;
}

/**
 * What server-side apply puts into a workload's pod template, and nothing else of it: the sidecar that archives, the
 * volume that it shares with the server, and the mount in the server's container. A sidecar that is there keeps its image.
 */
export function buildSidecar(parts: SidecarParts): Desired {
  const { policy, workload, agent } = parts;
  const task = archiveTask(parts);
  const { volumes, mounts: mounted } = prefixed(volumesOf(task, policy.spec.jobTemplate));
  const image = presentImage(workload) ?? agent.image;
  const spool = { name: sidecarName, mountPath: mounts.walSpool };
  const sidecar = {
    name: sidecarName,
    image,
    imagePullPolicy: agent.imagePullPolicy,
    restartPolicy: 'Always',
    env: [
      { name: agentEnvironment.task, value: JSON.stringify(task) },
      { name: 'MALLOC_ARENA_MAX', value: '2' },
      { name: agentEnvironment.podName, valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    ],
    startupProbe: {
      exec: { command: ['sh', '-c', `[ -e ${mounts.walSpool}/archive.sh ]`] },
      periodSeconds: 1,
      failureThreshold: 300,
    },
    resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: `${mostMemory}Mi` } },
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: [spool, ...mounted],
  };
  const pullSecrets = agent.imagePullSecrets.map((name) => ({ name }));
  const spec = {
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
    initContainers: [sidecar],
    containers: [{ name: workload.container.name, volumeMounts: [spool] }],
    volumes: [{ name: sidecarName, emptyDir: {} }, ...volumes],
  };
  // Of what people have said, not of what is made of it: a new version of Tidemark restarts nobody's database.
  const { maxParallel, minRepositories, compression } = policy.spec.walArchiving;
  const fixed = [maxParallel, compression, parts.repositories, parts.systemIdentifier, workload.container.name];
  const said = minRepositories === undefined ? fixed : [...fixed, minRepositories];
  const annotations = { [sidecarHash]: hashOf(said), [sidecarPolicy]: policy.metadata.name };
  return {
    ...targetOf(policy.metadata.namespace, workload),
    spec: { template: { metadata: { annotations }, spec } },
  };
}

/** Applied by the same manager: all of it goes. */
export function withoutSidecar(namespace: string, workload: Pick<ServerWorkload, 'kind' | 'name'>): Desired {
  return targetOf(namespace, workload);
}

function targetOf(namespace: string, { kind, name }: Pick<ServerWorkload, 'kind' | 'name'>): Desired {
  return { apiVersion: 'apps/v1', kind, metadata: { name, namespace } };
}

function archiveTask({ policy, repositories, systemIdentifier }: SidecarParts): ArchiveTask {
  const { metadata, spec } = policy;
  return {
    action: 'archive',
    namespace: metadata.namespace,
    policy: { name: metadata.name, uid: metadata.uid },
    repositories: [...repositories],
    systemIdentifier,
    maxParallel: spec.walArchiving.maxParallel,
    ...(spec.walArchiving.minRepositories === undefined ? {} : { minRepositories: spec.walArchiving.minRepositories }),
    compression: spec.walArchiving.compression,
  };
}

/** MiB: several segments of 16 MiB at once, packed and unpacked; large ones go through in pieces. */
const mostMemory = 768;

function presentImage({ pod }: ServerWorkload): string | undefined {
  return pod.initContainers?.find(({ name }) => name === sidecarName)?.image;
}

type Named = { readonly name: string; readonly [field: string]: unknown };

/** The names are the pod's owner's to choose; and without a group of the pod's own, Secrets must be readable by all. */
function prefixed(parts: { readonly volumes: readonly object[]; readonly mounts: readonly object[] }) {
  const rename = (item: object): Named => ({ ...item, name: `${sidecarName}-${(item as Named).name}` });
  const readable = (volume: Named): Named => {
    const projected = volume['projected'] as { readonly sources: unknown } | undefined;
    return projected === undefined ? volume : { ...volume, projected: { ...projected, defaultMode: 0o444 } };
  };
  return { volumes: parts.volumes.map(rename).map(readable), mounts: parts.mounts.map(rename) };
}
