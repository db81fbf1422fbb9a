import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { untilToldOf } from '../../support/tidemark/recovered-server.ts';
import { physicalRun, pitrRecovery, startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

/** Debian's PostgreSQL 17 may be of a minor version whose increments are faulty; what is restored here is compared. */
const physical = { allowFaultyIncrementals: true };
const schedules = [{ name: 'yearly', cron: '0 3 1 1 *', method: 'Physical', type: 'Incremental' }];

describe('increments', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;

  beforeAll(async () => {
    scenario = await startScenario('increments');
    postgres = await scenario.postgres();
    await postgres.psql('create table notes as select n, n::text as what from generate_series(1, 20000) n');
    await startArchiving(scenario, 'Archive', { physical, schedules });
  });

  const backUp = async (name: string) => {
    await scenario.apply(physicalRun(scenario.namespace, name, { type: 'Incremental' }));
    return await scenario.finished('backuprun', name);
  };
  const eventOf = (name: string, reason: string) => untilToldOf(scenario, name, RegExp(`^${reason}: `));

  test('are possible because the watcher has set summarize_wal, and one without a parent is full and says so', async () => {
    explainFailure(scenario);
    await until('summarize_wal to be on', async () =>
      (await postgres.psql('show summarize_wal')) === 'on' ? true : undefined,
    );
    // What was written before the summaries began is in a backup that can be a parent.
    const { status } = await backUp('first');
    expect(status).toMatchObject({
      phase: 'Completed',
      type: 'Full',
      parentBackupID: '',
      backupID: expect.stringMatching(/-physical-full/),
      forcedFull: { reason: expect.stringMatching(/^(NoParent|SummariesGone)$/) },
    });
    const { reason } = (status?.['forcedFull'] ?? {}) as { readonly reason: string };
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'TypeAsAsked', status: 'False', reason }),
    );
    await eventOf('first', reason);
  });

  test('are made on it, and recovered with it by the source’s own image', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await postgres.psql("update notes set what = 'changed' where n <= 100; delete from notes where n > 19900");
    const { status } = await backUp('second');
    const first = (await scenario.kubectl.get('backuprun', 'first', namespace))?.status?.backupID;
    expect(status).toMatchObject({
      phase: 'Completed',
      type: 'Incremental',
      parentBackupID: first,
      chain: { fullBackupID: first, length: 2 },
    });
    await postgres.psql('delete from notes');
    const backupID = String(status?.backupID);
    await scenario.apply(
      pitrRecovery(namespace, 'of-the-increment', {
        recoveryTarget: { targetImmediate: true, backupID },
        target: { ephemeral: {} },
        assertions: [
          { database: 'postgres', query: "select count(*) filter (where what = 'changed') from notes", expect: '100' },
          { database: 'postgres', query: 'select count(*) from notes', expect: '19900' },
        ],
      }),
    );
    const recovery = await scenario.finished('pitrrecovery', 'of-the-increment');
    expect(recovery.status).toMatchObject({
      phase: 'Completed',
      error: '',
      plan: { backupID, chain: [first, backupID] },
      assertions: [{ passed: true }, { passed: true }],
    });
  });
});
