import { z } from 'zod';
import { Failure } from '../domain/failure.ts';
import type { RcloneConnection } from './rclone-connection.ts';
import { folderOf, temporaryPrefix } from './rclone-path.ts';
import type { Listed } from './store.ts';

/** RFC 3339, with the digits of a second that the remote has. */
const modificationTime = z.string().refine((time) => !Number.isNaN(Date.parse(time)));

const listing = z.object({
  list: z
    .array(z.object({ Name: z.string(), Size: z.number(), ModTime: modificationTime, IsDir: z.boolean() }))
    .nullable()
    .transform((list) => list ?? []),
});

type Entry = z.output<typeof listing>['list'][number];

/** Folder by folder, each in memory for itself, in the order of keys as S3 lists them; without temporary files. */
export async function* listRemote(
  rclone: RcloneConnection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Listed, void, void> {
  for (const { Name, Size, ModTime, IsDir } of await readFolder(rclone, prefix, signal)) {
    if (IsDir) yield* listRemote(rclone, `${prefix}${Name}/`, signal);
    else if (!Name.startsWith(temporaryPrefix))
      yield { key: `${prefix}${Name}`, size: Size, lastModified: new Date(ModTime) };
  }
}

export async function* listRemoteFolders(
  rclone: RcloneConnection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  for (const { Name, IsDir } of await readFolder(rclone, prefix, signal)) if (IsDir) yield Name;
}

/** What a dead writer left under its temporary name. */
export async function* listTemporaries(
  rclone: RcloneConnection,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<Listed, void, void> {
  for (const { Name, Size, ModTime, IsDir } of await readFolder(rclone, prefix, signal)) {
    if (IsDir) yield* listTemporaries(rclone, `${prefix}${Name}/`, signal);
    else if (Name.startsWith(temporaryPrefix))
      yield { key: `${prefix}${Name}`, size: Size, lastModified: new Date(ModTime) };
  }
}

/** Sorted; empty where there is no such folder. */
async function readFolder(rclone: RcloneConnection, prefix: string, signal: AbortSignal): Promise<readonly Entry[]> {
  const key = folderOf(prefix);
  try {
    const list = await rclone.run({ operation: 'list', key: key === '' ? undefined : key, signal }, async (send) => {
      const opt = { noMimeType: true };
      return listing.parse(await send.command('operations/list', { fs: rclone.settings.remote, remote: key, opt }))
        .list;
    });
    return list.toSorted((a, b) => Buffer.compare(sortKey(a), sortKey(b)));
  } catch (error) {
    if (error instanceof Failure && error.reason === 'NoSuchObject') return [];
    throw error;
  }
}

/** As a key goes on: `a.b` stands before `a/b`, and `a/b` before `a0`. */
function sortKey({ Name, IsDir }: Entry): Buffer {
  return Buffer.from(IsDir ? `${Name}/` : Name);
}
