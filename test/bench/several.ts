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
import { createMeasure, type Measure } from './measure.ts';

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
    const measure = createMeasure(() => undefined, log);
    const figures: Figure[] = [];
    for (const format of ['Custom', 'Directory']) {
      const logical = { format, databases: { include: ['bench'] } };
      const run = (way: Way) => backUp(setting, backupTask(server, { repositories: into[way], logical }));
      figures.push(await compare(measure, `dump, ${format}`, run));
    }
    for (const compress of ['Client', 'Server']) {
      figures.push(
        await compare(measure, `base backup, packed by the ${compress.toLowerCase()}`, async (way) => {
          const task = physicalTask(server, { walMethod: 'Fetch', compress }, { repositories: into[way] });
          const { error } = await backUpPhysically(setting, task, { signal: AbortSignal.timeout(600_000) });
          if (error !== undefined) throw error;
        }),
      );
    }
    return [...figures, await benchWal(setting, measure)];
  } finally {
    await Promise.all([server.stop(), s3.stop(), setting.remove()]);
  }
}

type Way = 'one' | 'two';

async function compare(measure: Measure, what: string, run: (way: Way) => Promise<unknown>): Promise<Figure> {
  const [one, two] = await measure.inTurn([
    { what, run: async () => void (await run('one')) },
    { what: `${what}, into two repositories`, run: async () => void (await run('two')) },
  ]);
  const ratio = (two.seconds / one.seconds).toFixed(2);
  return {
    what: `${what}, a second repository`,
    value: `${one.seconds.toFixed(2)} s, into two ${two.seconds.toFixed(2)} s: ${ratio}`,
  };
}

/** A segment into one archive, and into two at once. */
async function benchWal(setting: Setting, measure: Measure): Promise<Figure> {
  const stores = await Promise.all([0, 1].map((index) => openRepository(setting, volumeRepository, index)));
  const content = Buffer.alloc(16 * 1024 ** 2);
  for (let at = 0; at < content.length; at += 64) content.writeUInt32LE((at * 2654435761) % 2 ** 32, at);
  let number = 0;
  const signal = AbortSignal.timeout(600_000);
  try {
    return await compare(measure, '32 WAL segments, one by one', async (way) => {
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
