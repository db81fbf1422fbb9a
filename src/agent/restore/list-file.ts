import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RestoreDatabase } from '../../api/restore-request.ts';
import { terminal } from '../../domain/failure.ts';
import { mounts } from '../../domain/mounts.ts';
import type { Archive, ArchiveEntry } from './archive.ts';

/** A list for pg_restore --use-list: what stands after the semicolon is for people. */
export function listOf(entries: readonly ArchiveEntry[]): string {
  const lines = entries.map(({ id, kind, schema = '-', name }) =>
    `${id}; ${kind} ${schema} ${name}`.replaceAll(/[\r\n]/g, ' '),
  );
  return `${lines.join('\n')}\n`;
}

export async function writeList(path: string, entries: readonly ArchiveEntry[]): Promise<void> {
  await writeFile(path, listOf(entries), { mode: 0o600 });
}

/** What the list of a ConfigMap names, in its order; undefined where none is asked for. */
export async function readMountedList(
  { listFile, schemas, tables, name }: RestoreDatabase,
  index: number,
  { entries, format }: Archive,
  mountRoot: string,
): Promise<readonly ArchiveEntry[] | undefined> {
  if (listFile === undefined) return undefined;
  const { name: configMap, key } = listFile.configMapRef;
  if ([schemas, tables].some(({ include, exclude }) => include.length + exclude.length > 0)) {
    throw terminal(
      'InvalidRequest',
      `databases[${index}] has a listFile, which says by itself what of ${name} is restored, and schemas or tables besides. Nothing was changed. Take one of the two out.`,
    );
  }
  const path = join(mountRoot + mounts.listFile(index), key);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw terminal(
      'MissingConfigMap',
      `The ConfigMap ${configMap} of databases[${index}].listFile has no key ${key}, or does not exist. Nothing was changed. Make it with: kubectl create configmap ${configMap} --from-file=${key}=<output of pg_restore --list, edited>`,
      cause,
    );
  });
  const listed = readList(text, entries);
  if (format === 'Tar') requireOrder(listed, entries, `The list ${key} of ConfigMap ${configMap}`);
  if (listed.length > 0) return listed;
  throw terminal(
    'NothingMatches',
    `The list ${key} of ConfigMap ${configMap} names no object of the backup of ${name}: its lines must begin with the numbers that pg_restore --list shows for this very dump (contents.list in the backup’s folder). Nothing was changed.`,
  );
}

/** pg_restore reads a tar from its begin to its end, and cannot go back for rows. */
function requireOrder(listed: readonly ArchiveEntry[], entries: readonly ArchiveEntry[], list: string): void {
  const places = new Map(entries.map(({ id }, place) => [id, place]));
  const rows = listed.filter(({ section }) => section === 'Data').map(({ id }) => places.get(id) ?? 0);
  if (rows.every((place, number) => place >= (rows[number - 1] ?? 0))) return;
  throw terminal(
    'InvalidRequest',
    `${list} has the rows of tables in another order than the backup, which is a Tar: that can only be read from its begin to its end. Nothing was changed. Put the lines with TABLE DATA into the order of contents.list, or use a backup of format Custom or Directory.`,
  );
}

/** In the list's order, as pg_restore reads it: what follows a semicolon is a comment. */
export function readList(text: string, entries: readonly ArchiveEntry[]): readonly ArchiveEntry[] {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  return text.split('\n').flatMap((line) => {
    const id = /^\s*(\d+)/.exec(line.split(';')[0] ?? '')?.[1];
    return (id === undefined ? undefined : byId.get(Number(id))) ?? [];
  });
}
