import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupRepositorySpec } from '../api/backup-repository.ts';
import { terminal } from '../domain/failure.ts';
import { mounts } from '../domain/mounts.ts';
import type { RepositoryTask } from '../domain/task.ts';
import { openAzure, openGcs, openRclone } from './open-others.ts';
import { s3Store } from './s3.ts';
import type { S3Settings } from './s3-connection.ts';
import { fileCredentials } from './s3-credentials.ts';
import type { Store } from './store.ts';
import { volumeStore } from './volume.ts';

export interface OpenOptions {
  /** Put before every path of domain/mounts.ts; for tests. */
  readonly mountRoot?: string;
}

/**
 * The store of a repository whose Secrets and volume are mounted under the given index. Opening reads the mounted files,
 * but does not reach the store: the first call does.
 */
export async function openStore(
  repository: RepositoryTask,
  index: number,
  { mountRoot = '' }: OpenOptions = {},
): Promise<Store> {
  const { name, spec } = repository;
  const folder = mountRoot + mounts.repository.credentials(index);
  if (spec.s3 !== undefined) return s3Store(await s3Settings(spec.s3, index, mountRoot));
  if (spec.volume !== undefined) {
    return volumeStore({ mount: mountRoot + mounts.repository.volume(index), ...spec.volume });
  }
  if (spec.azureBlob !== undefined) return openAzure(spec.azureBlob, folder);
  if (spec.googleCloudStorage !== undefined) return openGcs(spec.googleCloudStorage, folder);
  if (spec.rclone !== undefined) return openRclone(spec.rclone, folder);
  throw notImplemented(name, 'this kind of repository');
}

type S3Spec = NonNullable<BackupRepositorySpec['s3']>;

async function s3Settings(spec: S3Spec, index: number, mountRoot: string): Promise<S3Settings> {
  const { endpoint, credentialsSecretRef } = spec;
  const compatible = endpoint !== undefined;
  const folder = mountRoot + mounts.repository.credentials(index);
  const credentials =
    credentialsSecretRef === undefined ? undefined : fileCredentials(folder, credentialsSecretRef.name);
  // Asked once now, so that a missing Secret is told before anything is begun.
  await credentials?.();
  return {
    bucket: spec.bucket,
    prefix: spec.prefix ?? '',
    region: spec.region,
    endpoint,
    forcePathStyle: spec.forcePathStyle ?? compatible,
    credentials,
    credentialsFrom:
      credentialsSecretRef === undefined
        ? 'the identity of the Job’s service account'
        : `the Secret ${credentialsSecretRef.name}`,
    ca: await readCa(spec, mountRoot + mounts.repository.ca(index)),
    storageClass: spec.storageClass,
    serverSideEncryption: spec.serverSideEncryption,
    checksumMode: spec.checksumMode ?? (compatible ? 'WhenRequired' : 'WhenSupported'),
  };
}

async function readCa({ caBundleSecretRef }: S3Spec, folder: string): Promise<string | undefined> {
  if (caBundleSecretRef === undefined) return undefined;
  const { name, key } = caBundleSecretRef;
  try {
    return await readFile(join(folder, key), 'utf8');
  } catch (cause) {
    throw terminal(
      'CertificateMissing',
      `The Secret ${name} with the certificate authority of the store has no key ${key}, or there is no such Secret in this namespace. Create it with the PEM certificates under that key.`,
      cause,
    );
  }
}

function notImplemented(name: string, what: string) {
  return terminal(
    'NotImplemented',
    `The repository ${name} asks for ${what}, which this version of Tidemark does not have. Use age where it is to be encrypted.`,
  );
}
