import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openWalArchive } from '../../src/repository/wal-archive.ts';
import type { Compression } from '../../src/stream/compress.ts';
import { backUp, backupTask, createSetting, openRepository, s3Repository } from '../postgres/backup/setting.ts';
import { backUpPhysically, physicalTask, settings } from '../postgres/physical/physical-setting.ts';
import { startPostgres, type TestServer } from '../support/postgres/server.ts';
import { startS3Server } from '../support/s3/server.ts';
import { describeTraffic, startCountingProxy, type Traffic } from './counting-proxy.ts';
import { load, type Size } from './dump.ts';
import type { Figure } from './figure.ts';

const algorithms = ['zstd', 'gzip', 'lz4', 'none'] as const;
type Algorithm = (typeof algorithms)[number];
const segments = 16;

/**
 * What each compressor costs and saves, at the policy's default level, as ratios to zstd; and the requests and bytes that a
 * backup and a segment take, as an S3 server sees them.
 */
export async function benchCompression(size: Size, log: (line: string) => void): Promise<readonly Figure[]> {
  const server = await startPostgres({ settings: { ...settings, shared_buffers: '512MB' } });
  const s3 = await startS3Server();
  const proxy = await startCountingProxy(s3.endpoint);
  const setting = await createSetting(server, s3);
  const repository = s3Repository({ ...s3, endpoint: proxy.endpoint }, 'backups');
  const store = await openRepository(setting, repository);
  const signal = AbortSignal.timeout(1_800_000);
  try {
    await s3.createBucket('backups');
    await server.psql('CREATE DATABASE bench');
    log('Loading');
    await load({ ...server, psql: (sql) => server.psql(sql, 'bench') }, size, 'bench');
    const run: Run = async (what, work) => {
      const figures: Figure[] = [];
      let least: Measured | undefined;
      // The first round fills the page cache for all.
      await work('none');
      for (const algorithm of algorithms) {
        log(`${what}, ${algorithm}`);
        proxy.take();
        const begun = performance.now();
        await work(algorithm);
        const measured = { seconds: (performance.now() - begun) / 1000, traffic: proxy.take() };
        least ??= measured;
        figures.push({ what: `${what}, ${algorithm}`, value: describe(measured, least) });
      }
      return figures;
    };
    const contents = await readWal(server);
    return [
      ...(await run('dump, Custom', async (algorithm) => {
        const logical = { format: 'Custom', databases: { include: ['bench'] } };
        await backUp(setting, backupTask(server, { repositories: [repository], logical, compression: { algorithm } }));
      })),
      ...(await run('base backup', async (algorithm) => {
        const of = { repositories: [repository], compression: { algorithm } };
        const { error } = await backUpPhysically(setting, physicalTask(server, { walMethod: 'Fetch' }, of), { signal });
        if (error !== undefined) throw error;
      })),
      ...(await run(`${contents.length} WAL segments in, one by one`, async (algorithm) => {
        const archive = openWalArchive(store, newLocation(), { compression: compressionOf(algorithm) });
        for (const { name, content } of contents) await archive.put(name, content, { signal });
      })),
      ...(await run(`${contents.length} WAL segments in and out, one by one`, async (algorithm) => {
        const archive = openWalArchive(store, newLocation(), { compression: compressionOf(algorithm) });
        for (const { name, content } of contents) await archive.put(name, content, { signal });
        for (const { name } of contents) await archive.get(name, { signal });
      })),
    ];
  } finally {
    await store.close();
    await proxy.stop();
    await Promise.all([server.stop(), s3.stop(), setting.remove()]);
  }
}

type Run = (what: string, work: (algorithm: Algorithm) => Promise<void>) => Promise<readonly Figure[]>;

interface Measured {
  readonly seconds: number;
  readonly traffic: Traffic;
}

function describe({ seconds, traffic }: Measured, zstd: Measured): string {
  const time = (seconds / zstd.seconds).toFixed(2);
  const size = (traffic.sent / zstd.traffic.sent).toFixed(2);
  return `${seconds.toFixed(2)} s (${time}), ${size} of the bytes; ${describeTraffic(traffic)}`;
}

function compressionOf(algorithm: Algorithm): Compression {
  return { algorithm };
}

let archives = 0;

function newLocation() {
  archives += 1;
  return { namespace: 'shop', policy: 'orders', systemIdentifier: String(archives) };
}

/** Real WAL of the load. */
async function readWal({ dataFolder }: TestServer) {
  const folder = join(dataFolder, 'pg_wal');
  const names = (await readdir(folder)).filter((name) => /^[0-9A-F]{24}$/.test(name)).sort();
  return await Promise.all(
    names.slice(0, segments).map(async (name) => ({ name, content: await readFile(join(folder, name)) })),
  );
}
