import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mounts } from '../../../domain/mounts.ts';

const name = 'postgresql.auto.conf';

/**
 * What Tidemark had set on the source by ALTER SYSTEM came along in the base backup: a copy elsewhere has no sidecar, and
 * would keep its WAL for ever.
 */
export async function forgetArchiving(dataDirectory: string): Promise<void> {
  const text = await read(dataDirectory);
  const forgotten = withoutArchiving(text);
  if (forgotten !== text) await write(dataDirectory, forgotten);
}

export function withoutArchiving(text: string): string {
  const command = text.split('\n').find((line) => settingOf(line) === 'archive_command');
  if (command === undefined || !command.includes(`${mounts.walSpool}/`)) return text;
  return without(text, ['archive_mode', 'archive_command', 'archive_timeout']);
}

/** A standby that streams from there when it is started. */
export async function followPrimary(dataDirectory: string, primary: Primary): Promise<void> {
  await write(dataDirectory, withPrimary(await read(dataDirectory), primary));
}

export interface Primary {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

export function withPrimary(text: string, { host, port, username, password }: Primary): string {
  const recovery = ['', '_time', '_lsn', '_xid', '_name', '_inclusive', '_action', '_timeline'].map(
    (kind) => `recovery_target${kind}`,
  );
  const kept = without(text, [
    'primary_conninfo',
    'primary_slot_name',
    'restore_command',
    'archive_cleanup_command',
    ...recovery,
  ]);
  const parts = [
    ['host', host],
    ['port', String(port)],
    ['user', username],
    ['password', password],
  ].map(([key, value = '']) => `${key}='${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`);
  // As ALTER SYSTEM writes it: backslashes mean something in this file too.
  const value = parts.join(' ').replaceAll('\\', '\\\\').replaceAll("'", "''");
  return `${kept === '' || kept.endsWith('\n') ? kept : `${kept}\n`}primary_conninfo = '${value}'\n`;
}

function without(text: string, names: readonly string[]): string {
  return text
    .split('\n')
    .filter((line) => !names.includes(settingOf(line) ?? ''))
    .join('\n');
}

function settingOf(line: string): string | undefined {
  return /^\s*([A-Za-z_][A-Za-z0-9_.]*)/.exec(line)?.[1]?.toLowerCase();
}

async function read(dataDirectory: string): Promise<string> {
  return readFile(join(dataDirectory, name), 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
}

async function write(dataDirectory: string, text: string): Promise<void> {
  const path = join(dataDirectory, name);
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await chmod(`${path}.new`, 0o600);
  await rename(`${path}.new`, path);
}
