import { beforeAll, describe, expect, test } from 'vitest';
import type { ImageName } from '../support/images/build.ts';
import { prepareCluster } from '../support/tidemark/environment.ts';
import type { Status } from '../support/tidemark/kubectl.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import { archivingPolicy, Clockwork, physicalRun, pitrRecovery, startArchiving } from '../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { fingerprint, loadShop } from '../support/tidemark/shop.ts';

/** The other files run on 17. TIDEMARK_TEST_MAJORS=13,15,18 takes these; each needs an image, built when it is missing. */
const majors = (process.env['TIDEMARK_TEST_MAJORS'] ?? '15').split(',');

describe.each(majors)('PostgreSQL %s', (major) => {
  let scenario: Scenario;
  let own: Scenario;
  let image: string;

  beforeAll(async () => {
    const name = `postgres-${major}` as ImageName;
    const { references } = await prepareCluster({ log: (line) => process.stdout.write(`${line}\n`), images: [name] });
    image = references[name] ?? '';
    scenario = await startScenario(`pg${major}`);
  });

  test('a backup is restored whole, every row', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    const postgres = await scenario.postgres({ image });
    await loadShop(postgres);
    const before = await fingerprint(postgres);
    const logical = { databases: { include: ['shop'] }, format: 'Directory', jobs: 2 };
    await scenario.apply(
      ...scenario.repositoryObjects(),
      logicalPolicy(namespace, { logical }),
      backupRun(namespace, 'whole'),
    );
    const run = await scenario.finished('backuprun', 'whole');
    expect(run.status).toMatchObject({ phase: 'Completed', error: '' });
    expect(run.status?.['server']).toMatchObject({ version: expect.stringMatching(new RegExp(`^${major}\\b`)) });

    await scenario.apply(
      restoreRequest(namespace, 'whole', {
        source: { backupRunRef: { name: 'whole' } },
        databases: [{ name: 'shop', targetName: 'shop_again' }],
        jobs: 2,
      }),
    );
    expect((await scenario.finished('restorerequest', 'whole')).status).toMatchObject({
      phase: 'Completed',
      restored: { databases: 1, errors: 0 },
    });
    expect(await fingerprint(postgres, 'shop_again')).toEqual(before);
  });

  test('the server comes back as it was at one moment', async () => {
    own = await startScenario(`moment${major}`);
    explainFailure(own);
    const postgres = await own.postgres({ image });
    await loadShop(postgres);
    const heartbeat = { intervalSeconds: 5 };
    await startArchiving(own, 'Archive', { walArchiving: { mode: 'Archive', archiveTimeoutSeconds: 60, heartbeat } });
    const clockwork = new Clockwork(postgres);
    await clockwork.begin();
    await own.apply(physicalRun(own.namespace, 'base'));
    expect((await own.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
    const moment = await clockwork.tick();
    await postgres.psql('delete from shop.order_lines; delete from shop.orders', 'shop');
    await clockwork.archived(own);
    await own.apply(
      pitrRecovery(own.namespace, 'before-the-delete', {
        recoveryTarget: { targetTime: moment.time },
        target: { ephemeral: {} },
        assertions: [
          { database: 'postgres', query: 'select value from clockwork', expect: String(moment.value) },
          { database: 'shop', query: 'select count(*) from shop.orders', expect: '40000' },
        ],
      }),
    );
    expect((await own.finished('pitrrecovery', 'before-the-delete')).status).toMatchObject({
      phase: 'Completed',
      error: '',
      assertions: [{ passed: true }, { passed: true }],
    });
    await own.kubectl.until({
      ...{ resource: 'backuppolicy', name: 'orders', namespace: own.namespace, seconds: 120 },
      to: 'to tell of a heartbeat',
      fits: ({ status }) => heartbeatOf(status).time !== undefined,
    });
  });

  test('a backup that the server was asked to pack comes back, and says who packed it', async () => {
    explainFailure(own);
    const { namespace } = own;
    await own.apply(archivingPolicy(namespace, 'Archive', { physical: { compress: 'Server' } }));
    await own.apply(physicalRun(namespace, 'packed'));
    const { status } = await own.finished('backuprun', 'packed');
    expect(status).toMatchObject({ phase: 'Completed', error: '' });
    // BASE_BACKUP has COMPRESSION since 15.
    const packer = Number(major) < 15 ? 'the agent packed it, because' : 'the server packed it';
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Succeeded', message: expect.stringContaining(`; ${packer}`) }),
    );
    const backupID = status?.backupID ?? '';
    await own.apply(
      pitrRecovery(namespace, 'of-the-packed', {
        recoveryTarget: { targetImmediate: true, backupID },
        target: { ephemeral: {} },
        assertions: [
          { database: 'shop', query: 'select count(*) from shop.orders', expect: '0' },
          { database: 'shop', query: 'select count(*) > 0 from shop.customers', expect: 't' },
        ],
      }),
    );
    expect((await own.finished('pitrrecovery', 'of-the-packed')).status).toMatchObject({
      phase: 'Completed',
      error: '',
      plan: { backupID },
      assertions: [{ passed: true }, { passed: true }],
    });
  });
});

function heartbeatOf(status: Status | undefined): { readonly time?: string } {
  const { heartbeat = {} } = (status?.['wal'] ?? {}) as { readonly heartbeat?: { readonly time?: string } };
  return heartbeat;
}
