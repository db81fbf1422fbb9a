import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runProbe } from '../../../src/agent/probe.ts';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { task } from '../../../src/domain/task.ts';
import { openStore } from '../../../src/repository/open.ts';
import { type Destination, destinations } from '../../support/destinations.ts';
import { startPostgres, type TestServer } from '../../support/postgres/server.ts';
import { writeSegment } from '../../support/wal/segment.ts';
import { archiveTask, bring, exists, makeSetting, startSidecar, until } from '../../support/wal/sidecar.ts';
import { createWorld, type World } from '../restore/world.ts';

// What the agent does in a repository, over every kind of store that is neither S3 nor a volume.
let server: TestServer;
beforeAll(async () => {
  server = await startPostgres();
  await server.psql('CREATE DATABASE shop');
  await server.psql(
    'CREATE TABLE item AS SELECT i AS id, md5(i::text) AS name FROM generate_series(1, 20000) i',
    'shop',
  );
});
afterAll(() => server?.stop());

describe.each(destinations)('$name', ({ start }) => {
  let place: Destination;
  let world: World;
  beforeAll(async () => {
    place = await start();
    world = await createWorld(server, place);
  });
  afterAll(async () => {
    await world?.remove();
    await place?.stop();
  });

  test.each(['Custom', 'Directory'])('a logical backup in %s format comes back as it was', async (format) => {
    const backupID = await world.backUp({ logical: { format, databases: { include: ['shop'] } } });
    const database = `back_${backupID}`;
    const restored = await world.restore(backupID, {
      databases: [{ name: 'shop', targetName: database, create: true }],
    });
    expect(restored.error).toBeUndefined();
    const digest = "SELECT count(*) || md5(string_agg(id || name, ',' ORDER BY id)) FROM item";
    expect(await server.psql(digest, database)).toBe(await server.psql(digest, 'shop'));
  });

  test('WAL is archived once, and its second archiving is no fault', async () => {
    const setting = await makeSetting();
    onTestFinished(setting.remove);
    const secret = setting.root + mounts.repository.credentials(0);
    await mkdir(secret, { recursive: true });
    for (const [key, value] of Object.entries(place.secret)) await writeFile(join(secret, key), value);
    const repository = { name: 'offsite', spec: backupRepositorySpec.parse(place.spec) };
    const sidecar = startSidecar(setting, archiveTask({ repositories: [repository] }));
    onTestFinished(sidecar.stop);
    await until('the script is there', () => exists(join(setting.spool, 'archive.sh')));
    const names = [1, 2, 3].map((index) => `00000001000000000000000${index}`);
    for (const name of [...names, names[0] ?? '']) {
      await bring(setting, name, writeSegment({ name }).content);
      await until(`${name} is archived`, () => exists(join(setting.spool, 'done', name)));
    }
    const store = await openStore(repository, 0, { mountRoot: setting.root });
    onTestFinished(() => store.close());
    const options = { signal: AbortSignal.timeout(120_000) };
    const keys = (await Array.fromAsync(store.list('shop/orders/', options))).map(({ key }) => key);
    const archived = keys.filter((key) => key.includes('/wal/'));
    expect(archived.map((key) => key.split('/').at(-1))).toEqual(
      expect.arrayContaining(names.map((name) => `${name}.zst`)),
    );
    const [first = ''] = archived.filter((key) => key.endsWith(`${names[0]}.zst`));
    const content = zstdDecompressSync(await store.get(first, options));
    expect(content.equals(writeSegment({ name: names[0] ?? '' }).content)).toBe(true);
    expect(sidecar.said.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  test('the probe tells what the repository can do', async () => {
    const setting = await makeSetting();
    onTestFinished(setting.remove);
    const secret = setting.root + mounts.repository.credentials(0);
    await mkdir(secret, { recursive: true });
    for (const [key, value] of Object.entries(place.secret)) await writeFile(join(secret, key), value);
    const facts: object[] = [];
    const reporter = { facts: async (more: object) => void facts.push(more) };
    const probe = {
      action: 'probe',
      namespace: 'shop',
      repositoryObject: {
        apiVersion: 'tidemark.dev/v1alpha1',
        kind: 'BackupRepository',
        name: 'offsite',
        uid: 'u',
        generation: 1,
      },
      repository: { name: 'offsite', spec: backupRepositorySpec.parse(place.spec) },
    };
    const context = { task: task.parse(probe), reporter, signal: AbortSignal.timeout(120_000) };
    const outcome = await runProbe(context as unknown as Parameters<typeof runProbe>[0], setting.root);
    expect(outcome).toMatchObject({ reason: 'Reachable' });
    expect(facts).toEqual([{ capabilities: { conditionalPut: !('rclone' in place.spec), objectLock: false } }]);
  });
});
