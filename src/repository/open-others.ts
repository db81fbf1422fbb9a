import type { BackupRepositorySpec } from '../api/backup-repository.ts';
import { terminal } from '../domain/failure.ts';
import { readSecret, renewing } from './secret-files.ts';
import type { Store } from './store.ts';

const podIdentity = 'the identity of the Job’s service account';

/** Each loads what it stands on when it is asked for: a Job that writes to S3 has no use for Azure's client. */
export async function openAzure(
  { container, prefix = '', endpoint, credentialsSecretRef }: NonNullable<BackupRepositorySpec['azureBlob']>,
  folder: string,
): Promise<Store> {
  const { identityAccess, readAzureAccess } = await import('./azure-credentials.ts');
  const { azureStore } = await import('./azure.ts');
  const secret = credentialsSecretRef?.name;
  const fromPod = secret === undefined ? await identityAccess(endpoint) : undefined;
  const access = async () => fromPod ?? readAzureAccess(folder, secret ?? '', endpoint);
  // Asked once now, so that a missing Secret is told before anything is begun.
  await access();
  const credentialsFrom = secret === undefined ? podIdentity : `the Secret ${secret}`;
  return azureStore({ container, prefix, access, credentialsFrom });
}

export async function openGcs(
  { bucket, prefix = '', endpoint, credentialsSecretRef }: NonNullable<BackupRepositorySpec['googleCloudStorage']>,
  folder: string,
): Promise<Store> {
  const { identityTokens, readServiceAccount, serviceAccountTokens } = await import('./gcs-credentials.ts');
  const { gcsStore } = await import('./gcs.ts');
  if (credentialsSecretRef === undefined) {
    const fromPod = identityTokens();
    return gcsStore({ bucket, prefix, endpoint, tokens: async () => fromPod, credentialsFrom: podIdentity });
  }
  const { name } = credentialsSecretRef;
  const tokens = renewing(() => readServiceAccount(folder, name), serviceAccountTokens);
  await tokens();
  return gcsStore({ bucket, prefix, endpoint, tokens, credentialsFrom: `the Secret ${name}` });
}

export async function openRclone(
  { remote, configSecretRef: { name, key } }: NonNullable<BackupRepositorySpec['rclone']>,
  folder: string,
): Promise<Store> {
  const { rcloneStore } = await import('./rclone.ts');
  const config = async () => {
    const text = await readSecret(folder, key);
    if (text !== undefined) return { config: `${text}\n`, knownHosts: await readSecret(folder, 'known_hosts') };
    throw terminal(
      'CredentialsMissing',
      `The Secret ${name} with the configuration of rclone has no key ${key}, or there is no such Secret in this namespace. Create it with the file that rclone config makes.`,
    );
  };
  await config();
  return rcloneStore({ remote, config, configFrom: `the Secret ${name}` });
}
