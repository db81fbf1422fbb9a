import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';
import {
  expectRefused,
  expectUnchanged,
  putObject,
  readPolicy,
  storedWal,
  templateOf,
  untilArchived,
  untilRolledOut,
  writeSegment,
} from './archive.ts';

/** A policy protects one server: one that was left by a promotion, or that has only its name, does not take its place. */
describe('a server that is not the protected one any more', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let stored: ReadonlyMap<string, string>;

  beforeAll(async () => {
    scenario = await startScenario('other-server');
    postgres = await scenario.postgres();
    await startArchiving(scenario, 'Archive');
    await untilRolledOut(scenario);
    await untilArchived(scenario, await writeSegment(postgres));
    stored = await storedWal(scenario);
  });

  test('a primary that was left by a promotion elsewhere is refused', async () => {
    explainFailure(scenario);
    const [key = ''] = stored.keys();
    const fork = await postgres.psql('select pg_current_wal_lsn()');
    // What the new primary's archiver brings first.
    const wal = key.slice(0, key.indexOf('/wal/') + '/wal'.length);
    await putObject(scenario, `${wal}/history/00000002.history`, `1\t${fork}\tno recovery target specified\n`);
    await until(
      'the sidecar to have heard of it',
      async () => {
        await writeSegment(postgres);
        return Number(await postgres.psql(readyFiles)) > 1;
      },
      { everyMilliseconds: 3000 },
    );
    const message = await expectRefused(scenario, 'OldPrimary', stored);
    expect(message).toContain(fork);
    expect(message).toMatch(/pg_rewind/);
  });

  test('another server under the old one’s name is refused, and its pods are left alone', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    await kubectl.run(['delete', 'statefulset', 'orders-db'], { namespace });
    await kubectl.run(['delete', 'pvc', 'data-orders-db-0'], { namespace });
    postgres = await scenario.postgres({ password: postgres.password });
    const message = await expectRefused(scenario, 'OtherServer', stored);
    expect(message).toMatch(/system identifier/);
    // Also for a watcher that was not there when the first server was.
    await kubectl.run(['delete', 'pods', '--selector', 'tidemark.dev/action=watch-wal'], { namespace });
    const since = Date.now();
    await until('the new watcher’s word', async () => {
      const { report } = ((await readPolicy(scenario)).status?.['wal'] ?? {}) as { report?: { time: string } };
      return Date.parse(report?.time ?? '') > since;
    });
    await expectRefused(scenario, 'OtherServer', stored);
    expect(JSON.stringify(await templateOf(scenario))).not.toMatch(/tidemark-wal/);
    expect(await postgres.psql('show archive_mode')).toBe('off');
    await expectUnchanged(scenario, stored);
  });
});

const readyFiles = "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'";
