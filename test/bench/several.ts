import { openWalArchive } from '../../src/repository/wal-archive.ts';
import {
  backUp,
  backupTask,
  createSetting,
  openRepository,
  type Setting,
  s3Repository,
  volumeRepository,
} from '../postgres/backup/setting.ts';
import { backUpPhysically, physicalTask, settings } from '../postgres/physical/physical-setting.ts';
import { startPostgres } from '../support/postgres/server.ts';
import { startS3Server } from '../support/s3/server.ts';
import { load, type Size } from './dump.ts';
import type { Figure } from './figure.ts';
import { median } from './measure.ts';

const runs = 3;

/**
 * What a second repository costs: the same backup into one bucket, and into two buckets of one S3 server from one read of
 * the server, in turn. The median of three is told.
 */
export async function benchSeveral(size: Size, log: (line: string) => void): Promise<readonly Figure[]> {
  const server = await startPostgres({ settings: { ...settings, shared_buffers: '512MB' } });
  const s3 = await startS3Server();
  const setting = await createSetting(server, s3);
  try {
    for (const bucket of ['one', 'two']) await s3.createBucket(bucket);
    await server.psql('CREATE DATABASE bench');
    log('Loading');
    await load({ ...server, psql: (sql) => server.psql(sql, 'bench') }, size, 'bench');
    const one = { ...s3Repository(s3, 'one'), name: 'one' };
    const both = [one, { ...s3Repository(s3, 'two'), name: 'two' }];
    const into = { one: [one], two: both };
    const figures: Figure[] = [];
    for (const format of ['Custom', 'Directory']) {
      const logical = { format, databases: { include: ['bench'] } };
      const run = (way: Way) => backUp(setting, backupTask(server, { repositories: into[way], logical }));
      figures.push(await compare(`dump, ${format}`, log, run));
    }
    for (const compress of ['Client', 'Server']) {
      figures.push(
        await compare(`base backup, packed by the ${compress.toLowerCase()}`, log, async (way) => {
          const task = physicalTask(server, { walMethod: 'Fetch', compress }, { repositories: into[way] });
          const { error } = await backUpPhysically(setting, task, { signal: AbortSignal.timeout(600_000) });
          if (error !== undefined) throw error;
        }),
      );
    }
    return [...figures, await benchWal(setting, log)];
  } finally {
    await Promise.all([server.stop(), s3.stop(), setting.remove()]);
  }
}

type Way = 'one' | 'two';

async function compare(
  what: string,
  log: (line: string) => void,
  run: (way: Way) => Promise<unknown>,
): Promise<Figure> {
  log(`${what}, into one repository and into two`);
  const seconds: Record<Way, number[]> = { one: [], two: [] };
  for (let round = 0; round < runs; round += 1) {
    for (const way of ['one', 'two'] as const) {
      const begun = performance.now();
      await run(way);
      seconds[way].push((performance.now() - begun) / 1000);
    }
  }
  const [one, two] = [median(seconds.one, Number), median(seconds.two, Number)];
  return {
    what: `${what}, a second repository`,
    value: `${one.toFixed(2)} s, into two ${two.toFixed(2)} s: ${(two / one).toFixed(2)}`,
  };
}

/** A segment into one archive, and into two at once. */
async function benchWal(setting: Setting, log: (line: string) => void): Promise<Figure> {
  const stores = await Promise.all([0, 1].map((index) => openRepository(setting, volumeRepository, index)));
  const content = Buffer.alloc(16 * 1024 ** 2);
  for (let at = 0; at < content.length; at += 64) content.writeUInt32LE((at * 2654435761) % 2 ** 32, at);
  let number = 0;
  const signal = AbortSignal.timeout(600_000);
  try {
    return await compare('32 WAL segments, one by one', log, async (way) => {
      const archives = stores
        .slice(0, way === 'one' ? 1 : 2)
        .map((store) => openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier: '1' }));
      for (let count = 0; count < 32; count += 1) {
        number += 1;
        const name = `00000001${number.toString(16).toUpperCase().padStart(16, '0')}`;
        await Promise.all(archives.map((archive) => archive.put(name, content, { signal })));
      }
    });
  } finally {
    await Promise.all(stores.map((store) => store.close()));
  }
}
