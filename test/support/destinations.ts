import { generateKeyPairSync } from 'node:crypto';
import { startAzurite } from './azure/server.ts';
import { startGcsServer } from './gcs/server.ts';
import { selfSignedCertificate } from './s3/certificate.ts';
import { startFaultyServer } from './s3/faulty-server.ts';
import { startS3Server } from './s3/server.ts';
import { startSftpServer } from './sftp/server.ts';

/** A repository as its user writes it, with its Secret, over a server of its own. */
export interface Destination {
  readonly spec: object;
  readonly secret: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

interface Options {
  /** Where the server listens; default: 127.0.0.1. */
  readonly host?: string;
  /** The name of the Secret; default: store. */
  readonly name?: string;
}

export async function startAzureBlob({ host, name = 'store' }: Options = {}): Promise<Destination> {
  const server = await startAzurite(host);
  await server.container('backups').create();
  return {
    spec: { azureBlob: { container: 'backups', prefix: 'prod', credentialsSecretRef: { name } } },
    secret: {
      AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=${server.account};AccountKey=${server.key};BlobEndpoint=${server.endpoint};`,
    },
    stop: server.stop,
  };
}

/** The login of this one knows a single account; Google's own protocol has it apart from the store. */
export async function startGoogleCloudStorage({ host, name = 'store' }: Options = {}): Promise<Destination> {
  const server = await startGcsServer(host);
  await server.createBucket('backups');
  const login = await startFaultyServer(
    ({ body }) => {
      const [, claims = ''] = (new URLSearchParams(body.toString()).get('assertion') ?? '').split('.');
      const { iss } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { readonly iss?: string };
      return iss === email
        ? { status: 200, body: JSON.stringify({ access_token: 'token', expires_in: 3600 }) }
        : { status: 400, body: JSON.stringify({ error: 'invalid_grant', error_description: 'account not found' }) };
    },
    undefined,
    host,
  );
  const { endpoint } = server;
  return {
    spec: {
      googleCloudStorage: { bucket: 'backups', prefix: 'prod', endpoint, credentialsSecretRef: { name } },
    },
    secret: { 'service-account.json': JSON.stringify(account(`${login.endpoint}/token`)) },
    async stop() {
      await login.stop();
      await server.stop();
    },
  };
}

const email = 'backup@shop.example';

function account(tokenUri: string): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { type: 'service_account', client_email: email, private_key: key, token_uri: tokenUri };
}

export async function startSftp({ host, name = 'store' }: Options = {}): Promise<Destination> {
  const server = await startSftpServer(host);
  return {
    spec: { rclone: { remote: `offsite:${server.folder}/prod`, configSecretRef: { name, key: 'rclone.conf' } } },
    secret: { 'rclone.conf': server.config, known_hosts: server.knownHosts },
    stop: server.stop,
  };
}

/** S3 behind a certificate that only the Secret's ca.crt vouches for. */
export async function startPrivateS3({ host, name = 'store' }: Options = {}): Promise<Destination> {
  const certificate = await selfSignedCertificate(host);
  const server = await startS3Server({ certificate, ...(host === undefined ? {} : { host }) });
  await server.createBucket('backups');
  const { endpoint, accessKey, secretKey } = server;
  const caBundleSecretRef = { name, key: 'ca.crt' };
  return {
    spec: { s3: { bucket: 'backups', prefix: 'prod', endpoint, credentialsSecretRef: { name }, caBundleSecretRef } },
    secret: { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, 'ca.crt': certificate.cert },
    stop: server.stop,
  };
}

/** What is neither S3 nor a volume. */
export const destinations: readonly { readonly name: string; readonly start: typeof startSftp }[] = [
  { name: 'azureBlob', start: startAzureBlob },
  { name: 'googleCloudStorage', start: startGoogleCloudStorage },
  { name: 'rclone, by SFTP', start: startSftp },
];
