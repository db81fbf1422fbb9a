import { terminal } from '../domain/failure.ts';
import { workloadToken } from './azure-identity.ts';
import { readSecret } from './secret-files.ts';

export interface AzureAccess {
  /** Of the account's blob service. */
  readonly url: string;
  readonly credential:
    | { readonly kind: 'key'; readonly account: string; readonly key: string }
    | { readonly kind: 'sas'; readonly token: string }
    | {
        readonly kind: 'token';
        readonly getToken: () => Promise<{ readonly token: string; readonly expiresOnTimestamp: number }>;
      };
}

/** From a mounted Secret, as Azure's own tools name its keys. */
export async function readAzureAccess(
  folder: string,
  secretName: string,
  endpoint: string | undefined,
): Promise<AzureAccess> {
  const read = (key: string) => readSecret(folder, key);
  const connection = await read('AZURE_STORAGE_CONNECTION_STRING');
  if (connection !== undefined) return parseConnectionString(connection, secretName, endpoint);
  const account = await read('AZURE_STORAGE_ACCOUNT');
  const key = await read('AZURE_STORAGE_KEY');
  const sas = await read('AZURE_STORAGE_SAS_TOKEN');
  if (account !== undefined && key !== undefined)
    return { url: endpoint ?? blobUrl(account), credential: { kind: 'key', account, key: checkKey(key, secretName) } };
  const url = endpoint ?? (account === undefined ? undefined : blobUrl(account));
  if (url !== undefined && sas !== undefined)
    return { url, credential: { kind: 'sas', token: sas.replace(/^\?/, '') } };
  throw terminal(
    'CredentialsMissing',
    `The Secret ${secretName} has neither AZURE_STORAGE_CONNECTION_STRING nor AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or there is no such Secret in this namespace. Create it with one of these.`,
  );
}

/** The identity that Azure's webhook gives the pod (azure.workload.identity/use: "true"). */
export async function identityAccess(endpoint: string | undefined): Promise<AzureAccess> {
  const account = process.env.AZURE_STORAGE_ACCOUNT;
  const url = endpoint ?? (account === undefined ? undefined : blobUrl(account));
  if (url === undefined) {
    throw terminal(
      'CredentialsMissing',
      'Without spec.azureBlob.credentialsSecretRef nobody knows the storage account. Set spec.azureBlob.endpoint to https://ACCOUNT.blob.core.windows.net.',
    );
  }
  return { url, credential: { kind: 'token', getToken: workloadToken() } };
}

function parseConnectionString(text: string, secretName: string, endpoint: string | undefined): AzureAccess {
  const parts = new Map(
    text.split(';').flatMap((part): [string, string][] => {
      const at = part.indexOf('=');
      return at < 0 ? [] : [[part.slice(0, at).trim(), part.slice(at + 1).trim()]];
    }),
  );
  const account = parts.get('AccountName');
  const key = parts.get('AccountKey');
  const sas = parts.get('SharedAccessSignature');
  const protocol = parts.get('DefaultEndpointsProtocol') ?? 'https';
  const suffix = parts.get('EndpointSuffix') ?? 'core.windows.net';
  const url =
    endpoint ??
    parts.get('BlobEndpoint') ??
    (account === undefined ? undefined : `${protocol}://${account}.blob.${suffix}`);
  if (url !== undefined && account !== undefined && key !== undefined)
    return { url, credential: { kind: 'key', account, key: checkKey(key, secretName) } };
  if (url !== undefined && sas !== undefined)
    return { url, credential: { kind: 'sas', token: sas.replace(/^\?/, '') } };
  throw terminal(
    'CredentialsMissing',
    `AZURE_STORAGE_CONNECTION_STRING in the Secret ${secretName} has no AccountName with AccountKey, and no SharedAccessSignature with BlobEndpoint. Copy it whole from the storage account's access keys.`,
  );
}

function checkKey(key: string, secretName: string): string {
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(key) && key.length % 4 === 0) return key;
  throw terminal(
    'CredentialsMissing',
    `The account key in the Secret ${secretName} is not Base64. Copy it whole from the storage account's access keys.`,
  );
}

function blobUrl(account: string): string {
  return `https://${account}.blob.core.windows.net`;
}
