import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestServer } from '../support/postgres/server.ts';

/** Settings of a server whose WAL stays, and waits while there is no archive_command. */
export const backlogSettings = {
  wal_level: 'replica',
  full_page_writes: 'on',
  archive_mode: 'on',
  archive_command: '',
  wal_keep_size: '16GB',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
};

export interface Backlog {
  readonly segments: number;
  /** Where it ends. */
  readonly end: string;
  /** Has the server archive all of it with this command; each time the same files. */
  drain(command: string): Promise<void>;
}

/** What was written until now need not be archived. */
export async function forgetWritten(server: TestServer): Promise<void> {
  await server.psql('select pg_switch_wal()');
  await setArchiveCommand(server, '/bin/true');
  await drained(server);
  await setArchiveCommand(server, '');
}

/** Full segments, as a busy server writes them, beside those that wait already. */
export async function writeBacklog(server: TestServer, segments: number): Promise<Backlog> {
  const folder = join(server.dataFolder, 'pg_wal', 'archive_status');
  await server.psql('create table filler (n bigint, words text); checkpoint');
  while ((await waiting(server)).length < segments)
    await server.psql(
      'insert into filler select n, md5(n::text) || repeat(md5((n % 97)::text), 12) from generate_series(1, 60000) n',
    );
  const end = await server.psql("select pg_logical_emit_message(true, '', 'end') is null; select pg_switch_wal()");
  const all = await waiting(server);
  return {
    segments: all.length,
    end: endOfSegment(end.split('\n').at(-1) ?? ''),
    async drain(command) {
      await setArchiveCommand(server, command);
      await drained(server);
      await setArchiveCommand(server, '');
      for (const name of all) await rename(join(folder, `${name}.done`), join(folder, `${name}.ready`));
    },
  };
}

async function waiting(server: TestServer): Promise<readonly string[]> {
  const names = await readdir(join(server.dataFolder, 'pg_wal', 'archive_status'));
  return names.filter((name) => name.endsWith('.ready')).map((name) => name.slice(0, -'.ready'.length));
}

async function setArchiveCommand(server: TestServer, command: string): Promise<void> {
  await server.psql(`alter system set archive_command = '${command}'`);
  await server.psql('select pg_reload_conf()');
}

/** A command that fails is asked again after a minute: no figure is told of that. */
async function drained(server: TestServer): Promise<void> {
  const failures = () => server.psql('select failed_count from pg_stat_archiver');
  const before = await failures();
  const signal = AbortSignal.timeout(600_000);
  while ((await waiting(server)).length > 0) await delay(20, undefined, { signal });
  if ((await failures()) !== before) throw new Error("archive_command failed; the server's log says why");
}

function endOfSegment(lsn: string): string {
  const [high = '', low = ''] = lsn.split('/');
  const size = 16n * 1024n ** 2n;
  const end = (((BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`) + size - 1n) / size) * size;
  return `${(end >> 32n).toString(16)}/${(end & 0xffffffffn).toString(16)}`.toUpperCase();
}
