import { beforeAll, describe, expect, test } from 'vitest';
import { listKeys } from '../../support/tidemark/bucket.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { serverIn, untilReady } from '../../support/tidemark/recovered-server.ts';
import { Clockwork, physicalRun, pitrRecovery, startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { fingerprintOfRows, loadShop } from '../../support/tidemark/shop.ts';

/** Hashes do not compress: the packed stream is larger than one part. */
const bulk = `create table bulk as
  select id, sha256(id::text::bytea) || sha256((-id)::text::bytea) as body from generate_series(1, 400000) id`;
const bulkSum = 'select count(*), md5(string_agg(md5(body), $$$$ order by id)) from bulk';

describe('physical.compress: Server', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let backupID: string;

  beforeAll(async () => {
    scenario = await startScenario('packed');
    postgres = await scenario.postgres();
    await loadShop(postgres);
    await postgres.psql(bulk);
    await startArchiving(scenario, 'Archive', { physical: { compress: 'Server' } });
  });

  test('lies in S3 as the streams that the server packed, and says so', async () => {
    explainFailure(scenario);
    await scenario.apply(physicalRun(scenario.namespace, 'base'));
    const { status } = await scenario.finished('backuprun', 'base');
    expect(status).toMatchObject({ phase: 'Completed', error: '' });
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Succeeded', message: expect.stringContaining('; the server packed it') }),
    );
    backupID = status?.backupID ?? '';
    const keys = (await listKeys(scenario, '')).filter((key) => key.includes(`/${backupID}/`));
    const parts = keys.filter((key) => /\/base\/data\.tar\.zst\.\d+$/.test(key));
    expect(parts.length, keys.join('\n')).toBeGreaterThan(1);
  });

  test('is recovered to a moment, into a new instance, with every row', async () => {
    explainFailure(scenario);
    const clockwork = new Clockwork(postgres);
    await clockwork.begin();
    const moment = await clockwork.tick();
    const before = [...(await fingerprintOfRows(postgres)), await postgres.psql(bulkSum)];
    await postgres.psql('delete from shop.order_lines; delete from shop.orders', 'shop');
    await postgres.psql('drop table bulk');
    await clockwork.archived(scenario);
    await scenario.apply(
      pitrRecovery(scenario.namespace, 'back', {
        recoveryTarget: { targetTime: moment.time, backupID },
        target: { instance: { name: 'orders-back', storage: { size: '2Gi' } } },
      }),
    );
    const recovery = await scenario.finished('pitrrecovery', 'back', 240);
    expect(recovery.status).toMatchObject({ phase: 'Completed', error: '', plan: { backupID } });
    await untilReady(scenario, 'orders-back');
    const back = serverIn(scenario, postgres, 'orders-back');
    expect([...(await fingerprintOfRows(back)), await back.psql(bulkSum)]).toEqual(before);
    expect(await back.psql('select value from clockwork')).toBe(String(moment.value));
  });
});
