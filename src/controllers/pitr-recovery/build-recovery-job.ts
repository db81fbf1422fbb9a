import { mounts as places } from '../../domain/mounts.ts';
import type { JobParts } from '../jobs/build-job.ts';
import type { Place } from './place.ts';
import type { Container, ServerWorkload, Volume } from './server.ts';

export interface RecoveryPod {
  readonly image: string;
  /** What the server is like; undefined where nothing of the source is in the cluster. */
  readonly server: ServerWorkload | undefined;
  readonly place: Pick<Place, 'dataDirectory' | 'mountPath' | 'subPath'>;
  /** The data's volume, without its name. */
  readonly volume: Readonly<Record<string, unknown>>;
  /** Numeric owner of the data directory: both containers run under it. */
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** Puts the server that replays beside the agent of a Job: one volume for the data, one for what the two say to each other. */
export function withServer(job: JobParts, recovery: RecoveryPod): JobParts {
  const { template, ...spec } = job.spec as { readonly template: { readonly spec: AgentPod } };
  const pod = template.spec;
  const { owner, server, place } = recovery;
  const config = server === undefined ? { volumes: [], mounts: [] } : configurationOf(server);
  const data = {
    name: dataVolume,
    mountPath: place.mountPath,
    ...(place.subPath === undefined ? {} : { subPath: place.subPath }),
  };
  const shared = [data, { name: sharedVolume, mountPath: places.recovery }];
  const pullSecrets = [...(pod.imagePullSecrets ?? []), ...pullSecretsOf(server)];
  return {
    ...job,
    spec: {
      ...spec,
      template: {
        ...template,
        spec: {
          ...pod,
          ...pick(server?.pod, 'nodeSelector', 'tolerations', 'runtimeClassName'),
          ...pick(pod, 'nodeSelector', 'tolerations'),
          ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
          // A clean shutdown, and the old data directory back in its place.
          terminationGracePeriodSeconds: 180,
          securityContext: {
            ...pod.securityContext,
            runAsUser: owner.uid,
            runAsGroup: owner.gid,
            fsGroup: owner.gid,
            // Of the agents' own: a repository on a volume is readable for it.
            supplementalGroups: [agentGroup],
          },
          containers: [
            ...pod.containers.map((agent) => ({ ...agent, volumeMounts: [...(agent.volumeMounts ?? []), ...shared] })),
            serverContainer(recovery, [...shared, ...config.mounts]),
          ],
          volumes: [
            ...pod.volumes,
            { name: dataVolume, ...recovery.volume },
            { name: sharedVolume, emptyDir: {} },
            ...config.volumes,
          ],
        },
      },
    },
  };
}

interface AgentPod {
  readonly securityContext: object;
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly [field: string]: unknown;
}

const agentGroup = 65532;
const dataVolume = 'recovered-data';
const sharedVolume = 'recovery';

function serverContainer({ image, server, place }: RecoveryPod, mounts: readonly object[]): object {
  return {
    name: 'postgres',
    image,
    ...pick(server?.container, 'imagePullPolicy', 'resources'),
    command: ['sh', '-c', waitForScript, 'sh', places.recovery],
    env: [{ name: 'PGDATA', value: place.dataDirectory }],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    volumeMounts: mounts,
  };
}

/**
 * The agent writes the script when the base backup is laid, or `stop` where that fails. An agent that is gone writes
 * neither: it changes what `alive` holds every few seconds, and a minute without a change ends the wait.
 */
const waitForScript = `d=$1 beat= quiet=0
trap 'exit 143' TERM
while [ ! -e "$d/recover.sh" ] && [ ! -e "$d/stop" ]; do
  sleep 1
  now=
  { read -r now <"$d/alive"; } 2>/dev/null
  if [ -n "$now" ] && [ "$now" = "$beat" ]; then quiet=$((quiet + 1)); else quiet=0 beat=$now; fi
  [ "$quiet" -lt 60 ] || exit 1
done
[ -e "$d/recover.sh" ] || exit 1
exec sh "$d/recover.sh"`;

/** What the server's configuration may include or refer to by its path: ConfigMaps, Secrets, shared memory. */
function configurationOf({ pod, container }: ServerWorkload) {
  const volumes = (pod.volumes ?? []).filter(
    (volume) =>
      !volume.name.startsWith('kube-api-access-') &&
      !volume.name.startsWith('tidemark-') &&
      ['configMap', 'secret', 'projected', 'downwardAPI', 'emptyDir'].some((kind) => volume[kind] !== undefined),
  );
  const mounts = (container.volumeMounts ?? []).filter(({ name }) => volumes.some((volume) => volume.name === name));
  const prefix = (name: string) => `source-${name}`.slice(0, 63).replace(/-+$/, '');
  return {
    volumes: volumes
      .filter(({ name }) => mounts.some((mount) => mount.name === name))
      .map((volume) => ({ ...volume, name: prefix(volume.name) })),
    mounts: mounts.map((mount) => ({ ...mount, name: prefix(mount.name) })),
  };
}

function pullSecretsOf(server: ServerWorkload | undefined): readonly { readonly name: string }[] {
  return (server?.pod['imagePullSecrets'] as readonly { readonly name: string }[] | undefined) ?? [];
}

function pick(object: Readonly<Record<string, unknown>> | undefined, ...fields: readonly string[]): object {
  return Object.fromEntries(fields.flatMap((field) => (object?.[field] === undefined ? [] : [[field, object[field]]])));
}
