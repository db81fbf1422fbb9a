import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encryptionOf } from '../../src/domain/encryption.ts';
import type { RepositoryTask } from '../../src/domain/task.ts';
import { identityOf } from '../../src/repository/identity.ts';
import type { Store } from '../../src/repository/store.ts';
import { openWalArchive } from '../../src/repository/wal-archive.ts';
import {
  backUp,
  backupTask,
  createSetting,
  openRepository,
  type Setting,
  s3Repository,
} from '../postgres/backup/setting.ts';
import { encryptedRepository, generateKeys, mountIdentity, restore } from '../postgres/encryption/setting.ts';
import { startPostgres, type TestServer } from '../support/postgres/server.ts';
import { startS3Server } from '../support/s3/server.ts';
import { load, type Size } from './dump.ts';
import type { Figure } from './figure.ts';
import { createMeasure, type Measure } from './measure.ts';

const segments = 32;

/**
 * What age costs: the same backups, restores and WAL with and without it, in turn, into one real S3 server. The median of
 * three is told.
 */
export async function benchEncryption(size: Size, log: (line: string) => void): Promise<readonly Figure[]> {
  const server = await startPostgres({ settings: { shared_buffers: '512MB' } });
  const s3 = await startS3Server();
  const setting = await createSetting(server, s3);
  try {
    const keys = await generateKeys();
    await s3.createBucket('backups');
    await mountIdentity(setting, keys.identity);
    await server.psql('CREATE DATABASE bench');
    log('Loading');
    await load({ ...server, psql: (sql) => server.psql(sql, 'bench') }, size, 'bench');
    const repositories = { plain: s3Repository(s3, 'backups'), age: encryptedRepository(s3, [keys.recipient]) };
    const measure = createMeasure(() => undefined, log);
    const figures: Figure[] = [];
    for (const format of ['Custom', 'Directory']) {
      figures.push(
        ...(await compare(measure, `backup, ${format}`, (way) => dump(setting, server, repositories[way], format))),
      );
    }
    const backups = {
      plain: await dump(setting, server, repositories.plain, 'Custom'),
      age: await dump(setting, server, repositories.age, 'Custom'),
    };
    figures.push(
      ...(await compare(measure, 'restore, Custom', async (way) => {
        const copy = { databases: [{ name: 'bench', targetName: 'copy' }] };
        const { error } = await restore(setting, server, repositories[way], backups[way], copy);
        if (error !== undefined) throw error;
        await server.psql('DROP DATABASE copy');
      })),
    );
    const store = await openRepository(setting, repositories.plain);
    figures.push(...(await benchWal(server, store, { repository: repositories.age, setting }, measure)));
    await store.close();
    return figures;
  } finally {
    await Promise.all([server.stop(), s3.stop(), setting.remove()]);
  }
}

type Way = 'plain' | 'age';

async function compare(
  measure: Measure,
  what: string,
  run: (way: Way) => Promise<unknown>,
): Promise<readonly Figure[]> {
  const [plain, age] = await measure.inTurn([
    { what, run: async () => void (await run('plain')) },
    { what: `${what}, with age`, run: async () => void (await run('age')) },
  ]);
  const ratio = (age.seconds / plain.seconds).toFixed(2);
  return [{ what, value: `${plain.seconds.toFixed(2)} s, with age ${age.seconds.toFixed(2)} s: ${ratio}` }];
}

async function dump(setting: Setting, server: TestServer, into: RepositoryTask, format: string): Promise<string> {
  const logical = { format, databases: { include: ['bench'] } };
  const { reporter } = await backUp(setting, backupTask(server, { repositories: [into], logical }));
  return String(reporter.status['backupID']);
}

/** Real WAL of the load, one segment after the other. */
async function benchWal(
  { dataFolder }: TestServer,
  store: Store,
  { repository, setting }: { readonly repository: RepositoryTask; readonly setting: Setting },
  measure: Measure,
): Promise<readonly Figure[]> {
  const folder = join(dataFolder, 'pg_wal');
  const names = (await readdir(folder))
    .filter((name) => /^[0-9A-F]{24}$/.test(name))
    .sort()
    .slice(0, segments);
  const contents = await Promise.all(
    names.map(async (name) => ({ name, content: await readFile(join(folder, name)) })),
  );
  const signal = AbortSignal.timeout(600_000);
  let round = 0;
  const open = (way: Way) => {
    round += 1;
    const systemIdentifier = `${way}-${round}`;
    const identity = identityOf(repository, 0, { mountRoot: setting.folders.mountRoot });
    const encryption = way === 'age' ? encryptionOf(repository.spec) : undefined;
    return openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier }, { encryption, identity });
  };
  const put = async (way: Way) => {
    const archive = open(way);
    for (const { name, content } of contents) await archive.put(name, content, { signal });
    return archive;
  };
  const stored = { plain: await put('plain'), age: await put('age') };
  return [
    ...(await compare(measure, `${names.length} WAL segments in, one by one`, put)),
    ...(await compare(measure, `${names.length} WAL segments out, one by one`, async (way) => {
      for (const { name } of contents) await stored[way].get(name, { signal });
    })),
  ];
}
