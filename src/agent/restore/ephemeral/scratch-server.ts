import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Failure, terminal, transient } from '../../../domain/failure.ts';
import type { LogicalManifest } from '../../../domain/manifest.ts';
import type { ServerAccess } from '../../../postgres/access.ts';
import { withConnection } from '../../../postgres/query.ts';
import { accessBy } from '../../recover/run/follow-server.ts';
import { hostBasedAuthentication, recoverScript } from '../../recover/run/scripts.ts';
import { type Signs, signsIn, writeWhole } from '../../recover/run/signs.ts';
import { stopServer } from '../../recover/run/stop-server.ts';

export interface ScratchPlaces {
  /** Shared with the server's container. */
  readonly recovery: string;
  /** In a folder that both containers have; it is made. */
  readonly dataDirectory: string;
}

export interface ScratchPatience {
  readonly start: number;
  readonly stop: number;
  readonly poll: number;
}

/** No backup has a role of this name. */
export const scratchSuperuser = 'tidemark_scratch';

/** Has the container beside this one make an empty server, like the one that was dumped, and gives a way to it. */
export async function withScratchServer<Result>(
  manifest: Pick<LogicalManifest, 'server' | 'logical'>,
  places: ScratchPlaces,
  { patience, signal }: { readonly patience: ScratchPatience; readonly signal: AbortSignal },
  use: (access: ServerAccess) => Promise<Result>,
): Promise<Result> {
  const { recovery, dataDirectory } = places;
  const signs = signsIn(recovery);
  const major = Number(/^\d+/.exec(manifest.server.version)?.[0]);
  try {
    await mkdir(join(dataDirectory, '..'), { recursive: true, mode: 0o700 });
    await writeWhole(join(recovery, 'pg_hba.conf'), hostBasedAuthentication);
    await writeWhole(join(recovery, 'pg_ident.conf'), '');
    await writeFile(join(recovery, 'initdb-arguments'), `${initdbArguments(manifest, dataDirectory).join('\n')}\n`);
    await signs.setArguments(scratchArguments(places, major));
    await signs.begin(recoverScript(major));
    const access = await awaitServer(signs, recovery, patience, signal);
    return await use(access);
  } finally {
    await stopServer(signs, (await signs.hasStarted()) ? patience.stop : 0).catch(() => false);
  }
}

/** The database `postgres` is restored into as it stands: it must have the encoding and the locale that it had. */
function initdbArguments({ logical }: Pick<LogicalManifest, 'logical'>, dataDirectory: string): readonly string[] {
  const like = logical.databases.find(({ name }) => name === 'postgres') ?? logical.databases[0];
  return [
    `--pgdata=${dataDirectory}`,
    `--username=${scratchSuperuser}`,
    '--auth=trust',
    '--no-sync',
    `--encoding=${like?.encoding ?? 'UTF8'}`,
    `--lc-collate=${like?.collate ?? 'C'}`,
    `--lc-ctype=${like?.ctype ?? 'C'}`,
    '--lc-messages=C',
  ];
}

/** It reaches nothing but its own folder, and keeps nothing: what a crash would lose, nobody wants. */
function scratchArguments({ recovery, dataDirectory }: ScratchPlaces, major: number): readonly string[] {
  const settings = {
    data_directory: dataDirectory,
    hba_file: join(recovery, 'pg_hba.conf'),
    ident_file: join(recovery, 'pg_ident.conf'),
    listen_addresses: '',
    port: '5432',
    unix_socket_directories: recovery,
    fsync: 'off',
    full_page_writes: 'off',
    synchronous_commit: 'off',
    archive_mode: 'off',
    wal_level: 'minimal',
    max_wal_senders: '0',
    max_logical_replication_workers: '0',
    max_wal_size: '1GB',
    max_locks_per_transaction: '1024',
    restart_after_crash: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    lc_messages: 'C',
    ...(major >= 17 ? { summarize_wal: 'off' } : {}),
  };
  return ['-D', dataDirectory, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

async function awaitServer(
  signs: Signs,
  socket: string,
  patience: ScratchPatience,
  signal: AbortSignal,
): Promise<ServerAccess> {
  const access = accessBy(socket, scratchSuperuser);
  for (const begun = performance.now(); ; await delay(patience.poll, undefined, { signal })) {
    if ((await signs.ended()) !== undefined) throw notMade(await signs.log());
    if ((await signs.hasStarted()) && (await answers(access, signal))) return access;
    if (performance.now() - begun < patience.start) continue;
    throw transient(
      'ServerNotStarted',
      `The container with the source's PostgreSQL has not made an empty server within ${patience.start / 1000} seconds. Look at the pod's Events: the image may not be pullable, or have no shell.`,
    );
  }
}

async function answers(access: ServerAccess, signal: AbortSignal): Promise<boolean> {
  try {
    await withConnection(access, 'template1', signal, (query) => query('SELECT 1'), { connectTimeout: 5000 });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    return false;
  }
}

function notMade(log: string): Failure {
  const said = log.trim().split('\n').slice(-3).join('; ');
  return terminal(
    'ServerNotMade',
    `The image could not make an empty server like the one that was dumped: ${said}. Use an image of the same major version with the same locales (verification.image, target.ephemeral.image).`,
  );
}
