import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { backupRepositorySpec } from '../../../src/api/backup-repository.ts';
import { mounts } from '../../../src/domain/mounts.ts';
import { openStore } from '../../../src/repository/open.ts';
import { openWalArchive } from '../../../src/repository/wal-archive.ts';
import { destinations } from '../../support/destinations.ts';
import { createSetting, type Setting } from '../backup/setting.ts';
import { backUpPhysically, physicalManifestOf, physicalTask } from '../physical/physical-setting.ts';
import { recover, startAndAsk } from '../recover/recovery.ts';
import { createSource, planFor, type Source, taskFor } from '../recover/source.ts';

let source: Source;
let setting: Setting;
beforeAll(async () => {
  source = await createSource();
  await source.server.psql('CREATE TABLE orders AS SELECT id, md5(id::text) AS body FROM generate_series(1, 20000) id');
  setting = await createSetting(source.server);
});
afterAll(async () => {
  await setting?.remove();
  await source?.remove();
});

const rows = `SELECT count(*), md5(string_agg(id || body, '' ORDER BY id, body)) FROM orders`;

test.each(destinations)(
  'a base backup in $name, and the WAL behind it, give a moment back',
  async ({ name, start }) => {
    const { server, mountRoot, account, systemIdentifier } = source;
    const place = await start();
    onTestFinished(place.stop);
    const repository = { name: 'offsite', spec: backupRepositorySpec.parse(place.spec) };
    const secret = mountRoot + mounts.repository.credentials(0);
    onTestFinished(() => rm(secret, { recursive: true, force: true }));
    await mkdir(secret, { recursive: true });
    for (const [key, value] of Object.entries(place.secret)) await writeFile(join(secret, key), value);
    await execa('chown', ['-R', `${account.uid}:${account.gid}`, secret]);

    const task = physicalTask(server, { walMethod: 'Stream' }, { repositories: [repository] });
    const folders = { ...setting.folders, mountRoot };
    const { error, reporter } = await backUpPhysically({ ...setting, folders }, task);
    expect(error).toBeUndefined();
    const store = await openStore(repository, 0, { mountRoot });
    onTestFinished(() => store.close());
    const { manifest } = await physicalManifestOf(store, reporter.status);

    await server.psql(`INSERT INTO orders VALUES (0, '${name}')`);
    const expected = await server.psql(rows);
    const end = await source.ship();
    const archive = openWalArchive(store, { namespace: 'shop', policy: 'orders', systemIdentifier });
    for (const file of (await readdir(source.archived)).filter((each) => !each.startsWith('.')).sort())
      await archive.put(file, await readFile(join(source.archived, file)), { signal: AbortSignal.timeout(120_000) });

    const dataDirectory = join(source.root, 'recovered');
    onTestFinished(() => rm(dataDirectory, { recursive: true, force: true }));
    const recovery = taskFor(planFor(manifest, end), {}, dataDirectory, {
      source: { repository, namespace: 'shop', policy: 'orders' },
    });
    const found = await recover(source, recovery);
    expect(found.failure, found.log + found.agentLog).toBeUndefined();
    expect(await startAndAsk(source, dataDirectory, rows)).toBe(expected);
  },
);
