import { backupPolicySpec } from '../../api/backup-policy.ts';
import { type JobTemplate, jobTemplate } from '../../api/job-template.ts';
import type { BackupPolicy, BackupRun, RestoreRequest } from '../../api/kinds.ts';
import { mounts } from '../../domain/mounts.ts';
import type { KubeObject } from '../../kube/client.ts';
import { read } from '../../kube/objects.ts';
import type { Context } from '../context.ts';
import type { JobParts } from '../jobs/build-job.ts';
import { parseSpec } from '../parse-spec.ts';
import { withServer } from '../pitr-recovery/build-recovery-job.ts';
import { claimOf, mountOf } from '../pitr-recovery/place.ts';
import { readServer, type ServerWorkload, statedDataDirectory, type WorkloadObject } from '../pitr-recovery/server.ts';
import { roomFor } from '../pitr-recovery/surroundings.ts';
import { isRefusal, type Refusal, refused } from '../refusal.ts';
import { type Lookup, newestOf } from './source.ts';

/** What an empty server beside the agent is made with: the source's image and class of volume, the policy's bounds. */
export interface Scratch {
  readonly image: string;
  readonly server: ServerWorkload | undefined;
  readonly template: JobTemplate;
  readonly storageClassName: string | undefined;
  /** Of the source's databases; undefined where no BackupRun tells. */
  readonly bytes: string | undefined;
}

/** In the data's volume, which both containers have at one path. */
export const scratchDataDirectory = `${mounts.scratchServer}/pgdata`;

/** undefined where the request has another target. */
export async function gatherScratch(
  context: Context,
  request: RestoreRequest,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<Scratch | Refusal | undefined> {
  const { ephemeral } = request.spec.target;
  if (ephemeral === undefined) return undefined;
  const run = runOf(request, lookup);
  const policy = policyOf(request, run, lookup);
  const server = policy === undefined ? undefined : await findServer(context, policy, signal);
  // A workload of which nobody can tell which container is the server's is as good as none, where an image is named.
  const known = server === undefined || isRefusal(server) ? undefined : server;
  const image = ephemeral.image || known?.container.image;
  if (image === undefined)
    return server !== undefined && isRefusal(server)
      ? server
      : refused(
          'ImageUnknown',
          'The workload of the source is not in the cluster, so it is not known which image could run the server. Name one of the same PostgreSQL major version in target.ephemeral.image (spec.verification.image of a BackupPolicy).',
        );
  return {
    image,
    server: known,
    template: policy?.spec.jobTemplate ?? jobTemplate.parse({}),
    storageClassName: known === undefined ? undefined : await classOf(context, request, known, signal),
    bytes: run?.status?.size?.source,
  };
}

/**
 * Puts an empty server beside the agent, under the agent's own account. initdb wants a name for its account, and no image
 * knows this one: so the pod brings its own list of users.
 */
export function withScratchServer(job: JobParts, { image, server, storageClassName, bytes }: Scratch): JobParts {
  const like = server === undefined ? undefined : { ...server, pod: { ...server.pod, volumes: [] } };
  const beside = withServer(job, {
    image,
    server: like,
    place: { dataDirectory: scratchDataDirectory, mountPath: mounts.scratchServer },
    volume: volumeOf(storageClassName, bytes),
    owner: account,
  });
  const spec = beside.spec as { readonly template: Template };
  const { metadata, spec: pod } = spec.template;
  return {
    ...beside,
    spec: {
      ...spec,
      template: {
        ...spec.template,
        metadata: { ...metadata, annotations: { ...metadata.annotations, [users]: passwd } },
        spec: {
          ...pod,
          containers: pod.containers.map((container) =>
            container.name === 'postgres'
              ? { ...container, volumeMounts: [...container.volumeMounts, { ...passwdMount, readOnly: true }] }
              : container,
          ),
          volumes: [...pod.volumes, passwdVolume],
        },
      },
    },
  };
}

interface Template {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly { readonly name: string; readonly volumeMounts: readonly object[] }[];
    readonly volumes: readonly object[];
  };
}

const account = { uid: 65532, gid: 65532 };
const users = 'tidemark.dev/users';
const passwd = `root:x:0:0:root:/:/bin/sh\ntidemark:x:${account.uid}:${account.gid}:Tidemark:/tmp:/bin/sh\n`;
const passwdMount = { name: 'users', mountPath: '/etc/passwd', subPath: 'passwd' };
const passwdVolume = {
  name: passwdMount.name,
  downwardAPI: {
    items: [{ path: passwdMount.subPath, fieldRef: { fieldPath: `metadata.annotations['${users}']` } }],
  },
};

/** Where the source has no volume that could be asked for its class, it is the node's own disk. */
function volumeOf(storageClassName: string | undefined, bytes: string | undefined): Readonly<Record<string, unknown>> {
  if (storageClassName === undefined || bytes === undefined) return { emptyDir: {} };
  const storage = roomFor({ bytes, walBytes: String(2 * 2 ** 30) });
  const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, storageClassName };
  return { ephemeral: { volumeClaimTemplate: { spec } } };
}

function runOf({ spec }: RestoreRequest, lookup: Lookup): BackupRun | undefined {
  const { backupRunRef, latest, repository } = spec.source;
  if (backupRunRef !== undefined) return lookup.run(backupRunRef.name);
  if (latest !== undefined) return newestOf(latest.policyRef.name, latest.method, lookup);
  return repository === undefined ? undefined : lookup.runOfBackup(repository.backupID);
}

function policyOf({ spec }: RestoreRequest, run: BackupRun | undefined, lookup: Lookup): BackupPolicy | undefined {
  const name = run?.spec.policyRef.name ?? spec.source.latest?.policyRef.name;
  const stored = name === undefined ? undefined : lookup.policy(name);
  if (stored === undefined) return undefined;
  const parsed = parseSpec(backupPolicySpec, stored.spec, `BackupPolicy ${name}`);
  return isRefusal(parsed) ? undefined : { ...stored, spec: parsed.spec };
}

async function findServer(
  { client }: Context,
  { metadata, spec }: BackupPolicy,
  signal: AbortSignal,
): Promise<ServerWorkload | Refusal | undefined> {
  const { workloadRef, container, port } = spec.source;
  if (workloadRef === undefined) return undefined;
  const workload = await read<WorkloadObject>(client, workloadRef.kind, metadata.namespace, workloadRef.name, signal);
  return workload === undefined ? undefined : readServer(workloadRef.kind, workload, { container, port });
}

async function classOf(
  { client }: Context,
  { metadata }: RestoreRequest,
  server: ServerWorkload,
  signal: AbortSignal,
): Promise<string | undefined> {
  const mount = mountOf(server, statedDataDirectory(server.container) ?? '/var/lib/postgresql/data');
  const name = mount === undefined ? undefined : claimOf(server, mount);
  if (name === undefined) return undefined;
  const claim = await read<KubeObject & { readonly spec?: { readonly storageClassName?: string } }>(
    client,
    'PersistentVolumeClaim',
    metadata.namespace,
    name,
    signal,
  );
  return claim?.spec?.storageClassName;
}
