import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServerAccess } from '../../postgres/access.ts';
import { withConnection } from '../../postgres/query.ts';
import { writeWhole } from '../recover/run/signs.ts';
import type { Answer } from './check-list.ts';

const names = ['checksums-wanted', 'checksums-code', 'checksums.log'] as const;
/** By the shell: there was none to run. */
const notFound = 127;
const shown = 3;

/**
 * To be asked while the server runs: whether there are checksums at all. Where there are, its container looks at every
 * page when the server has shut down (scripts.ts).
 */
export async function wantChecksums(access: ServerAccess, folder: string, signal: AbortSignal): Promise<boolean> {
  const [row] = await withConnection(access, 'template1', signal, (query) =>
    query<{ readonly on: boolean }>("SELECT pg_catalog.current_setting('data_checksums') = 'on' AS on"),
  );
  if (row?.on === true) await writeWhole(join(folder, names[0]), '');
  return row?.on === true;
}

/** What pg_checksums found, after the server's clean end. */
export async function awaitChecksums(
  folder: string,
  {
    objects,
    poll,
    signal,
  }: { readonly objects: ReadonlyMap<string, string>; readonly poll: number; readonly signal: AbortSignal },
): Promise<Answer> {
  const read = (name: string) => readFile(join(folder, name), 'utf8').catch(() => undefined);
  let code = await read(names[1]);
  while (code === undefined) {
    await delay(poll, undefined, { signal });
    code = await read(names[1]);
  }
  const log = (await read(names[2])) ?? '';
  for (const name of names) await rm(join(folder, name), { force: true });
  return answerOf(Number(code.trim()), log, objects);
}

export function answerOf(code: number, log: string, objects: ReadonlyMap<string, string>): Answer {
  if (code === 0)
    return {
      outcome: 'Passed',
      message: `${/Blocks scanned:\s+(\d+)/.exec(log)?.[1] ?? 'All'} blocks have the right checksum.`,
    };
  if (code === notFound)
    return { outcome: 'Skipped', message: 'the image of the source has no pg_checksums beside its postgres.' };
  const bad = [...log.matchAll(/checksum verification failed in file "([^"]*)", block (\d+)/g)].map(
    ([, file = '', block = '']) => `${named(file, objects)}, block ${block}`,
  );
  if (bad.length === 0)
    return {
      outcome: 'Skipped',
      message: `pg_checksums could not look: ${log.trim().split('\n').slice(-2).join('; ')}`,
    };
  return {
    outcome: 'Failed',
    message: `${bad.length} blocks have a wrong checksum: ${bad.slice(0, shown).join('; ')}. Look whether the source has the same (its log, pg_stat_database.checksum_failures, pg_checksums on a copy): then its disk is at fault, and the newest backup that passed is what to go back to; else make a new full backup.`,
  };
}

function named(file: string, objects: ReadonlyMap<string, string>): string {
  const [, path = file] = /((?:base|global|pg_tblspc)\/.*)$/.exec(file) ?? [];
  const object = objects.get(path.replace(/(\.\d+|_\w+)$/, '').replace(/\.\d+$/, ''));
  return object === undefined ? path : `${path} (${object})`;
}
