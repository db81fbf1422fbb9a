import type { JobTemplate } from '../../api/job-template.ts';
import { mounts as places } from '../../domain/mounts.ts';
import type { RecoverTask, RepositoryTask, ServerTask, Task } from '../../domain/task.ts';
import { hookVolumes } from './hook-volumes.ts';

interface Mounted {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
  readonly source: Readonly<Record<string, unknown>>;
}

/** The volumes of an agent's pod and where they are mounted, as the agent expects them (domain/mounts.ts). */
export function volumesOf(
  task: Task,
  template: JobTemplate,
): { readonly volumes: readonly object[]; readonly mounts: readonly object[] } {
  const mounted = [
    temporaryVolume(task, template),
    ...('server' in task && task.server !== undefined && !isIntoScratch(task) ? serverVolumes(task.server) : []),
    ...repositoriesOf(task).flatMap(repositoryVolumes),
    ...repositoriesOf(task).flatMap(publicKeyVolumes),
    ...(decrypts(task) ? repositoriesOf(task).flatMap(identityVolumes) : []),
    ...(task.action === 'backup' || task.action === 'restore' ? [scratchVolume(template)] : []),
    ...(task.action === 'backup' || task.action === 'hooks' ? hookVolumes(task.hooks) : []),
    ...(task.action === 'recover' ? recoveryVolumes(task, template) : []),
    ...(task.action === 'restore' ? listFileVolumes(task.restore.databases) : []),
  ];
  return {
    volumes: mounted
      .filter(({ name }, index) => mounted.findIndex((other) => other.name === name) === index)
      .map(({ name, source }) => ({ name, ...source })),
    mounts: mounted.map(({ name, path, readOnly }) => ({ name, mountPath: path, ...(readOnly ? { readOnly } : {}) })),
  };
}

/** Its server is made beside the agent, and takes no password. */
function isIntoScratch(task: Task): boolean {
  return task.action === 'restore' && task.ephemeral !== undefined;
}

function repositoriesOf(task: Task): readonly RepositoryTask[] {
  if ('repositories' in task) return task.repositories;
  if (task.action === 'hooks') return [];
  if (task.action === 'probe' || task.action === 'sync-catalogue') return [task.repository];
  const { repository, others = [] } = 'source' in task ? task.source : task;
  return [repository, ...others];
}

/** The server that `extract` writes into, and the login of a standby at its primary. */
function recoveryVolumes({ extract, standbyOf }: RecoverTask, template: JobTemplate): readonly Mounted[] {
  return [
    ...(extract === undefined ? [] : [...serverVolumes(extract.server), scratchVolume(template)]),
    ...(standbyOf === undefined
      ? []
      : [secret('standby-credentials', places.standbyCredentials, standbyOf.credentialsSecretName, login)]),
  ];
}

const login = ['username', 'password'];

function serverVolumes({ credentialsSecretName, tls }: ServerTask): readonly Mounted[] {
  const ca = tls?.caSecretRef;
  const certificate = tls?.clientCertificateSecretRef;
  return [
    secret('server-credentials', places.credentials, credentialsSecretName, login),
    ...(ca === undefined ? [] : [secret('server-ca', places.serverCa, ca.name, [ca.key])]),
    ...(certificate === undefined
      ? []
      : [secret('server-certificate', places.clientCertificate, certificate.name, ['tls.crt', 'tls.key'])]),
  ];
}

const s3Keys = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];
const azureKeys = [
  'AZURE_STORAGE_CONNECTION_STRING',
  'AZURE_STORAGE_ACCOUNT',
  'AZURE_STORAGE_KEY',
  'AZURE_STORAGE_SAS_TOKEN',
];
const googleKeys = ['service-account.json'];

/** The Secret of a repository's store, and its keys; undefined where the pod's own identity is used. */
function credentialsOf({ s3, azureBlob, googleCloudStorage, rclone }: RepositoryTask['spec']) {
  const named = (ref: { readonly name: string } | undefined, keys: readonly string[]) =>
    ref === undefined ? undefined : { name: ref.name, keys };
  return (
    named(s3?.credentialsSecretRef, s3Keys) ??
    named(azureBlob?.credentialsSecretRef, azureKeys) ??
    named(googleCloudStorage?.credentialsSecretRef, googleKeys) ??
    (rclone === undefined ? undefined : named(rclone.configSecretRef, [rclone.configSecretRef.key, 'known_hosts']))
  );
}

function repositoryVolumes({ spec }: RepositoryTask, index: number): readonly Mounted[] {
  const { s3, volume } = spec;
  const ca = s3?.caBundleSecretRef;
  const credentials = credentialsOf(spec);
  return [
    ...(credentials === undefined
      ? []
      : [
          secret(
            `repository-${index}-credentials`,
            places.repository.credentials(index),
            credentials.name,
            credentials.keys,
          ),
        ]),
    ...(ca === undefined ? [] : [secret(`repository-${index}-ca`, places.repository.ca(index), ca.name, [ca.key])]),
    ...(volume === undefined
      ? []
      : [
          claim(
            `repository-${index}`,
            places.repository.volume(index),
            volume.claimName,
            spec.accessMode === 'ReadOnly',
          ),
        ]),
  ];
}

/** gpg needs the keys of whom it encrypts for. */
function publicKeyVolumes({ spec }: RepositoryTask, index: number): readonly Mounted[] {
  const keys = spec.encryption?.gpg?.publicKeySecretRef;
  if (keys === undefined) return [];
  return [secret(`repository-${index}-public-keys`, places.repository.publicKeys(index), keys.name, [keys.key])];
}

/**
 * A pod that backs up, archives, watches, probes or deletes never sees what could decrypt; one that copies does where its
 * task names an identity, because what it copies is to be encrypted for others.
 */
function decrypts({ action }: Task): boolean {
  return action === 'restore' || action === 'plan-recovery' || action === 'recover' || action === 'copy';
}

function identityVolumes({ spec }: RepositoryTask, index: number): readonly Mounted[] {
  const identity = (spec.encryption?.age ?? spec.encryption?.gpg)?.identitySecretRef;
  if (identity === undefined) return [];
  return [secret(`repository-${index}-identity`, places.repository.identity(index), identity.name, [identity.key])];
}

/** pg_dump puts each table of a tar into a temporary file, always in /tmp: that is scratch then. */
function temporaryVolume(task: Task, template: JobTemplate): Mounted {
  const place = { name: 'tmp', path: places.temporary, readOnly: false, source: { emptyDir: {} } };
  const stages = task.action === 'backup' && task.method === 'Logical' && task.logical.format === 'Tar';
  return stages ? { ...scratchVolume(template), path: places.temporary } : place;
}

function scratchVolume({ scratch }: JobTemplate): Mounted {
  const place = { name: 'scratch', path: places.scratch, readOnly: false };
  if (scratch === undefined) return { ...place, source: { emptyDir: {} } };
  const { size, storageClassName } = scratch;
  const spec = {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: size } },
    ...(storageClassName === undefined ? {} : { storageClassName }),
  };
  return { ...place, source: { ephemeral: { volumeClaimTemplate: { spec } } } };
}

function listFileVolumes(
  databases: readonly {
    readonly listFile?: { readonly configMapRef: { readonly name: string; readonly key: string } } | undefined;
  }[],
): readonly Mounted[] {
  return databases.flatMap(({ listFile }, index) => {
    if (listFile === undefined) return [];
    const { name, key } = listFile.configMapRef;
    const source = { configMap: { name, items: [{ key, path: key }], optional: true } };
    return [{ name: `list-file-${index}`, path: places.listFile(index), readOnly: true, source }];
  });
}

/** Only the keys that are needed, and optional: the agent says in a sentence what is missing, where a pod would only hang. */
function secret(name: string, path: string, secretName: string, keys: readonly string[]): Mounted {
  // Keys that a Secret does not have are left out of an optional volume only as a whole, so all of it is projected by key.
  const sources = keys.map((key) => ({ secret: { name: secretName, items: [{ key, path: key }], optional: true } }));
  return { name, path, readOnly: true, source: { projected: { defaultMode: 0o440, sources } } };
}

function claim(name: string, path: string, claimName: string, readOnly = false): Mounted {
  return { name, path, readOnly, source: { persistentVolumeClaim: { claimName } } };
}
