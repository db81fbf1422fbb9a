import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import type { Timings } from '../../../src/repository/attempts.ts';
import { azureStore } from '../../../src/repository/azure.ts';
import type { Store } from '../../../src/repository/store.ts';
import { freePort } from '../s3/server.ts';
import { startServerProcess } from '../server-process.ts';

export interface AzureServer {
  /** Of the account's blob service. */
  readonly endpoint: string;
  readonly account: string;
  readonly key: string;
  readonly container: (name: string) => ContainerClient;
  readonly stop: () => Promise<void>;
}

/** Microsoft's own emulator (Azurite), on a free port of this host, in memory. */
export async function startAzurite(host = '127.0.0.1'): Promise<AzureServer> {
  const account = 'tidemarktest';
  const key = randomBytes(64).toString('base64');
  const port = await freePort(host);
  const program = createRequire(import.meta.url).resolve('azurite/dist/src/blob/main.js');
  const place = ['--blobHost', host, '--blobPort', String(port)];
  const server = await startServerProcess(
    'Azurite',
    [process.execPath, program, ...place, '--inMemoryPersistence', '--silent', '--skipApiVersionCheck'],
    { port, host, env: { AZURITE_ACCOUNTS: `${account}:${key}` } },
  );
  const endpoint = `http://${host}:${port}/${account}`;
  return {
    endpoint,
    account,
    key,
    container: (name) => new ContainerClient(`${endpoint}/${name}`, new StorageSharedKeyCredential(account, key)),
    stop: server.stop,
  };
}

interface Place {
  readonly endpoint: string;
  readonly account?: string;
  readonly key?: string;
  readonly container: string;
  readonly prefix?: string;
}

/** A store as open.ts makes it, without mounted files. */
export function openAzure(
  {
    endpoint,
    account = 'tidemarktest',
    key = Buffer.from('secret').toString('base64'),
    container,
    prefix = 'pre/fix',
  }: Place,
  timings?: Timings,
): Store {
  const access = async () => ({ url: endpoint, credential: { kind: 'key', account, key } as const });
  return azureStore({ container, prefix, access, credentialsFrom: 'the Secret store' }, timings);
}
