import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import { recover, startAndAsk } from './recovery.ts';
import { createSource, ownedFolder, planFor, type Source, taskFor } from './source.ts';

let source: Source;
let manifest: PhysicalManifest;
let end: string;

beforeAll(async () => {
  source = await createSource();
  await source.server.psql("CREATE TABLE status (said text); INSERT INTO status VALUES ('new')");
  // It names fewer connections than there were.
  manifest = await source.backUp({ settings: { max_connections: '20' } });
  await source.server.psql("UPDATE status SET said = 'one'; SELECT pg_create_restore_point('one')");
  await source.server.psql("UPDATE status SET said = 'two'");
  end = await source.ship();
}, 60_000);
afterAll(() => source?.remove());

const says = (said: string) => ({
  assertions: [{ database: 'postgres', query: 'SELECT said FROM status', expect: said }],
});

describe('timelines', () => {
  it('a recovered server archives on its own, and each can be recovered on, from one backup', async () => {
    const dataDirectory = join(source.root, 'second');
    const first = await recover(source, taskFor(planFor(manifest, end), { targetName: 'one' }, dataDirectory));
    expect(first.failure, first.log).toBeUndefined();
    expect(first.log).toMatch(/max_connections = 20 is a lower setting/);
    const command = `cp %p ${source.archived}/.%f.tmp && mv ${source.archived}/.%f.tmp ${source.archived}/%f`;
    await writeFile(join(dataDirectory, 'command.conf'), `archive_mode = on\narchive_command = '${command}'\n`);
    const ended = await startAndAsk(
      source,
      dataDirectory,
      "UPDATE status SET said = 'three'; SELECT pg_switch_wal()",
      `-c config_file=${dataDirectory}/command.conf -c data_directory=${dataDirectory}`,
    );
    await source.shipArchived();
    const secondEnd = { targetTimeline: 2, endOfArchive: segmentEnd(ended) };
    const onSecond = await recover(
      source,
      taskFor(planFor(manifest, end, secondEnd), {}, join(source.root, 'on-second'), says('three')),
    );
    expect(onSecond.failure, onSecond.log).toBeUndefined();
    expect(onSecond.status).toMatchObject({ reached: { timeline: 3 } });
    const onFirst = await recover(
      source,
      taskFor(planFor(manifest, end), {}, join(source.root, 'on-first'), says('two')),
    );
    expect(onFirst.failure, onFirst.log).toBeUndefined();
    expect(onFirst.status).toMatchObject({ reached: { timeline: 3 } });
  });
});

describe('a standby', () => {
  it('follows its primary when it is started, and has never been promoted', async () => {
    const dataDirectory = join(source.root, 'standby');
    const standbyCredentials = await ownedFolder(join(source.root, 'credentials'), source.account);
    await writeFile(join(standbyCredentials, 'username'), source.server.superuser);
    await writeFile(join(standbyCredentials, 'password'), source.server.password);
    const standbyOf = { host: source.server.host, port: source.server.port, credentialsSecretName: 'orders-db' };
    const task = taskFor(planFor(manifest, end), {}, dataDirectory, { standbyOf, ...says('two') });
    const found = await recover(source, task, { standbyCredentials });
    expect(found.failure, found.log).toBeUndefined();
    expect(found.outcome).toMatchObject({ reason: 'StandbyReady' });
    await source.server.psql("UPDATE status SET said = 'streamed'");
    const asked = await startAndAsk(
      source,
      dataDirectory,
      "DO $$BEGIN FOR look IN 1..100 LOOP EXIT WHEN (SELECT said FROM status) = 'streamed'; PERFORM pg_sleep(0.1); END LOOP; END$$; SELECT pg_is_in_recovery(), said FROM status",
    );
    expect(asked).toBe('t|streamed');
  });
});

describe('WAL of the backup itself', () => {
  it.each(['Stream', 'Fetch'] as const)('of walMethod %s is enough for the end of the backup', async (walMethod) => {
    const backup = await source.backUp({ walMethod });
    const { endLSN } = backup.physical;
    const task = taskFor(planFor(backup, endLSN), { targetImmediate: true }, join(source.root, walMethod));
    const found = await recover(source, task);
    expect(found.failure, found.log).toBeUndefined();
    expect(found.outcome).toMatchObject({ reason: 'TargetReached' });
  });
});

/** Of the segment that an LSN lies in. */
function segmentEnd(lsn: string): string {
  const [high = '0', low = '0'] = lsn.split('/');
  return `${high}/${((Number.parseInt(low, 16) & 0xff000000) + 0x1000000).toString(16).toUpperCase()}`;
}
