import { z } from 'zod';
import type { GcsConnection } from './gcs-connection.ts';
import { listed, listedFolder, nextToken } from './listed.ts';
import type { Listed } from './store.ts';

const item = z.object({ name: z.string(), size: z.string().regex(/^[0-9]{1,15}$/), updated: z.iso.datetime() });
const page = z.object({
  items: z.array(item).default([]),
  prefixes: z.array(z.string()).default([]),
  nextPageToken: z.string().optional(),
});

const fields = 'items(name,size,updated),prefixes,nextPageToken';

export async function* listGcs(
  gcs: GcsConnection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Listed, void, void> {
  const whole = fullPrefix(gcs, prefix);
  for await (const { items } of listPages(gcs, { prefix: whole }, signal)) {
    for (const { name, size, updated } of items) {
      // The console leaves empty objects named as folders.
      if (name.endsWith('/')) continue;
      yield listed({ name, size: Number(size), lastModified: new Date(updated) }, whole, prefix);
    }
  }
}

export async function* listGcsFolders(
  gcs: GcsConnection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const whole = fullPrefix(gcs, prefix);
  for await (const { prefixes } of listPages(gcs, { prefix: whole, delimiter: '/' }, signal)) {
    for (const name of prefixes) yield listedFolder(name, whole);
  }
}

async function* listPages(gcs: GcsConnection, query: Readonly<Record<string, string>>, signal: AbortSignal) {
  let token: string | undefined;
  do {
    const found = await gcs.run({ operation: 'list', signal }, async (send) => {
      const more = token === undefined ? {} : { pageToken: token };
      const answer = await send({
        method: 'GET',
        path: gcs.objectPath(),
        query: { ...query, ...more, maxResults: '1000', fields },
      });
      return page.parse(await answer.body.json());
    });
    yield found;
    token = nextToken(found.nextPageToken, token);
  } while (token !== undefined);
}

function fullPrefix({ settings }: GcsConnection, prefix: string): string {
  return settings.prefix === '' ? prefix : `${settings.prefix}/${prefix}`;
}
