import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { serverAccount } from '../support/postgres/account.ts';
import { startPostgres } from '../support/postgres/server.ts';
import { backlogSettings, forgetWritten, writeBacklog } from './backlog.ts';
import { prepareBareBase } from './bare-base.ts';
import { load, type Size } from './dump.ts';
import type { Figure } from './figure.ts';
import { createMeasure, describe, type Measured } from './measure.ts';
import { preparePgBackRest } from './pgbackrest.ts';
import { type Replay, readReplay, replayWith } from './replay.ts';
import { defaultLevelOfWal, prepareTidemark } from './tidemark.ts';
import { accountProcessorTime } from './usage.ts';

const segments = 105;

/**
 * Base backups, restores and WAL, of ours, of pgBackRest and of the bare tools: one server, the same data and the same WAL,
 * repositories in folders of one disk, two processes each, one after the other in one run. Backups and restores are made
 * twice, and the second is told.
 */
export async function benchPhysical(size: Size, log: (line: string) => void): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-bench-'));
  const processor = await accountProcessorTime();
  const server = await startPostgres({
    settings: { shared_buffers: '512MB', max_wal_senders: '4', ...backlogSettings },
  });
  const measure = createMeasure(processor.seconds, log);
  try {
    await execa('chmod', ['755', folder]);
    log(`Loading ${size === 'full' ? 'about 3 GB' : 'about 300 MB'}`);
    await load(server, size);
    await forgetWritten(server);
    const pgBackRest = await preparePgBackRest(server, join(folder, 'pgbackrest'), log);
    const tidemark = await prepareTidemark(server, join(folder, 'tidemark'));
    const bare = await prepareBareBase(server, join(folder, 'bare'));
    const restored = await ownedFolder(join(folder, 'restored'));
    const data = (name: string) => join(restored, name);
    const bytes = Number(await server.psql('select sum(pg_database_size(oid)) from pg_database'));

    const nowhere = await measure.twice('full: pg_basebackup > /dev/null', bare.nowhere);
    const packedNowhere = await measure.twice(
      'full: pg_basebackup, packed by the server, > /dev/null',
      bare.packedNowhere,
    );
    const piped = await measure.twice('full: pg_basebackup | zstd -3 -T2 > file', bare.piped);
    const rivalFull = await measure.twice('full: pgBackRest, zst 3, 2 processes', pgBackRest.backUp);
    const oursPacked = await measure.twice('full: Tidemark, zstd 3, packed by the server', () =>
      tidemark.backUp('Server'),
    );
    const oursFull = await measure.twice('full: Tidemark, zstd 3', () => tidemark.backUp('Client'));

    const bareRestore = await measure.twice('restore: zstd -d | tar x', () => bare.restore(data('bare')));
    const rivalRestore = await measure.twice('restore: pgBackRest, 2 processes', () =>
      pgBackRest.restore(data('rival')),
    );
    const oursRestore = await measure.twice('restore: Tidemark, base laid', (lap) =>
      tidemark.restore(data('ours'), lap),
    );

    log(`Writing ${segments} segments of WAL`);
    const backlog = await writeBacklog(server, segments);
    const copies = await ownedFolder(join(folder, 'copies'));
    const into = (what: string, command: string) => measure.once(`WAL in: ${what}`, () => backlog.drain(command));
    const plainIn = await into('cp', `cp %p ${copies}/%f`);
    const rivalIn = await into('pgBackRest, asynchronous, 2 processes', pgBackRest.archiveCommand);
    await tidemark.startArchiving();
    const oursIn = await into('Tidemark, zstd 3', tidemark.archiveCommand);
    await tidemark.stopArchiving();
    await tidemark.startArchiving({ policy: 'by-default', level: defaultLevelOfWal });
    const defaultIn = await into(`Tidemark by default, zstd ${defaultLevelOfWal}`, tidemark.archiveCommand);
    await tidemark.stopArchiving();

    const logs = { plain: '', rival: '', ours: '' };
    await measure.once('WAL out: cp', async () => {
      logs.plain = await replayWith(server.bin, data('bare'), { restore_command: `cp ${copies}/%f %p` });
    });
    await measure.once('WAL out: pgBackRest, asynchronous, 2 processes', async () => {
      logs.rival = await replayWith(server.bin, data('rival'), {});
    });
    await measure.once('WAL out: Tidemark, and the laying of the base', async () => {
      logs.ours = await tidemark.replay(data('ours'), backlog.end);
    });
    const [plainOut, rivalOut, oursOut] = [logs.plain, logs.rival, logs.ours].map(readReplay);

    const rate = (measured: Measured) => `${describe(measured)} (${(bytes / 1e6 / measured.seconds).toFixed(0)} MB/s)`;
    const drained = (measured: Measured) =>
      `${(backlog.segments / measured.seconds).toFixed(1)} segments a second (${describe(measured)})`;
    const replayed = (replay: Replay | undefined) =>
      `${replay?.perSecond.toFixed(1)} segments a second (${replay?.segments.toFixed(0)} in ${replay?.seconds} s)`;
    const ratio = (one: number | undefined, other: number | undefined) => ((one ?? 0) / (other ?? 0)).toFixed(2);
    return [
      { what: 'server', value: `${(bytes / 1e9).toFixed(2)} GB, PostgreSQL ${server.major}` },
      { what: 'full: pg_basebackup > /dev/null', value: rate(nowhere) },
      { what: 'full: pg_basebackup, packed by the server, > /dev/null', value: rate(packedNowhere) },
      { what: 'full: pg_basebackup | zstd -3 -T2 > file', value: rate(piped) },
      { what: 'full: pgBackRest, zst 3, 2 processes', value: rate(rivalFull) },
      { what: 'full: Tidemark, zstd 3', value: rate(oursFull) },
      { what: 'full: Tidemark, zstd 3, packed by the server', value: rate(oursPacked) },
      { what: 'ratio: full, Tidemark / pgBackRest (aim under 1)', value: ratio(oursFull.seconds, rivalFull.seconds) },
      {
        what: 'ratio: full, packed by the server, Tidemark / pgBackRest (aim under 1)',
        value: ratio(oursPacked.seconds, rivalFull.seconds),
      },
      {
        what: 'ratio: full, packed by the server, Tidemark / pg_basebackup likewise > /dev/null (aim 1.3)',
        value: ratio(oursPacked.seconds, packedNowhere.seconds),
      },
      {
        what: 'ratio: full, packed by the server, Tidemark / pg_basebackup, plain, > /dev/null',
        value: ratio(oursPacked.seconds, nowhere.seconds),
      },
      { what: 'restore: zstd -d | tar x', value: rate(bareRestore) },
      { what: 'restore: pgBackRest, 2 processes', value: rate(rivalRestore) },
      { what: 'restore: Tidemark, the base laid', value: rate(oursRestore) },
      {
        what: 'ratio: restore, Tidemark / pgBackRest (aim under 1)',
        value: ratio(oursRestore.seconds, rivalRestore.seconds),
      },
      { what: 'WAL in: cp', value: drained(plainIn) },
      { what: 'WAL in: pgBackRest, asynchronous, 2 processes', value: drained(rivalIn) },
      { what: 'WAL in: Tidemark, zstd 3', value: drained(oursIn) },
      { what: `WAL in: Tidemark by default, zstd ${defaultLevelOfWal}`, value: drained(defaultIn) },
      {
        what: 'ratio: WAL in, Tidemark, zstd 3 / pgBackRest (aim over 1)',
        value: ratio(rivalIn.seconds, oursIn.seconds),
      },
      {
        what: `ratio: WAL in, Tidemark by default, zstd ${defaultLevelOfWal} / pgBackRest`,
        value: ratio(rivalIn.seconds, defaultIn.seconds),
      },
      { what: 'WAL out: cp', value: replayed(plainOut) },
      { what: 'WAL out: pgBackRest, asynchronous, 2 processes', value: replayed(rivalOut) },
      { what: 'WAL out: Tidemark', value: replayed(oursOut) },
      {
        what: 'ratio: WAL out, Tidemark / pgBackRest (aim over 1)',
        value: ratio(oursOut?.perSecond, rivalOut?.perSecond),
      },
      ...[...tidemark.memory].map(([what, peak]) => ({
        what: `peak RSS of Tidemark, Node and its processes: ${what}`,
        value: `${(peak / 1024 ** 2).toFixed(0)} MiB`,
      })),
    ];
  } finally {
    await server.stop();
    await processor.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function ownedFolder(path: string): Promise<string> {
  const { uid, gid } = await serverAccount();
  await mkdir(path);
  await chown(path, uid, gid);
  return path;
}
