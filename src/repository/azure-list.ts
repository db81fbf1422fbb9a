import type { AzureConnection } from './azure-connection.ts';
import { listed, listedFolder, nextToken } from './listed.ts';
import type { Listed } from './store.ts';

/** The service's own bound. */
const pageSize = 5000;

export async function* listBlobs(
  az: AzureConnection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Listed, void, void> {
  const whole = fullPrefix(az, prefix);
  let token: string | undefined;
  do {
    const page = await az.run({ operation: 'list', signal }, async (container, attempt) => {
      const pages = container
        .listBlobsFlat({ prefix: whole, abortSignal: attempt.signal })
        .byPage({ maxPageSize: pageSize, ...(token === undefined ? {} : { continuationToken: token }) });
      return (await pages.next()).value;
    });
    for (const { name, properties } of page?.segment.blobItems ?? []) {
      if (name.endsWith('/')) continue;
      const { contentLength: size = 0, lastModified } = properties;
      yield listed({ name, size, lastModified }, whole, prefix);
    }
    token = nextToken(page?.continuationToken, token);
  } while (token !== undefined);
}

export async function* listBlobFolders(
  az: AzureConnection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const whole = fullPrefix(az, prefix);
  let token: string | undefined;
  do {
    const page = await az.run({ operation: 'list', signal }, async (container, attempt) => {
      const pages = container
        .listBlobsByHierarchy('/', { prefix: whole, abortSignal: attempt.signal })
        .byPage({ maxPageSize: pageSize, ...(token === undefined ? {} : { continuationToken: token }) });
      return (await pages.next()).value;
    });
    for (const { name } of page?.segment.blobPrefixes ?? []) yield listedFolder(name, whole);
    token = nextToken(page?.continuationToken, token);
  } while (token !== undefined);
}

function fullPrefix({ settings }: AzureConnection, prefix: string): string {
  return settings.prefix === '' ? prefix : `${settings.prefix}/${prefix}`;
}
