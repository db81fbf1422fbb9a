import { generateKeyPairSync } from 'node:crypto';
import { startAzurite } from '../../support/azure/server.ts';
import { startGcsServer } from '../../support/gcs/server.ts';
import { startFaultyServer } from '../../support/s3/faulty-server.ts';
import { startSftpServer } from '../../support/sftp/server.ts';
import type { Place } from '../restore/world.ts';

/** A repository as its user writes it, with its Secret, over a server of its own. */
export interface StartedPlace extends Place {
  readonly stop: () => Promise<void>;
}

export const places: readonly { readonly name: string; readonly start: () => Promise<StartedPlace> }[] = [
  {
    name: 'azureBlob',
    async start() {
      const server = await startAzurite();
      await server.container('backups').create();
      return {
        spec: { azureBlob: { container: 'backups', prefix: 'prod', credentialsSecretRef: { name: 'store' } } },
        secret: {
          AZURE_STORAGE_CONNECTION_STRING: `DefaultEndpointsProtocol=http;AccountName=${server.account};AccountKey=${server.key};BlobEndpoint=${server.endpoint};`,
        },
        stop: server.stop,
      };
    },
  },
  {
    name: 'googleCloudStorage',
    async start() {
      const server = await startGcsServer();
      await server.createBucket('backups');
      const login = await startFaultyServer(() => ({
        status: 200,
        body: JSON.stringify({ access_token: 'token', expires_in: 3600 }),
      }));
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const account = {
        type: 'service_account',
        client_email: 'backup@shop.example',
        private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
        token_uri: `${login.endpoint}/token`,
      };
      const { endpoint } = server;
      const place = { bucket: 'backups', prefix: 'prod', endpoint, credentialsSecretRef: { name: 'store' } };
      return {
        spec: { googleCloudStorage: place },
        secret: { 'service-account.json': JSON.stringify(account) },
        async stop() {
          await login.stop();
          await server.stop();
        },
      };
    },
  },
  {
    name: 'rclone, by SFTP',
    async start() {
      const server = await startSftpServer();
      const remote = `offsite:${server.folder}/prod`;
      return {
        spec: { rclone: { remote, configSecretRef: { name: 'store', key: 'rclone.conf' } } },
        secret: { 'rclone.conf': server.config, known_hosts: server.knownHosts },
        stop: server.stop,
      };
    },
  },
];
