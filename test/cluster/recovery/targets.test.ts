import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import {
  type ArchivingMode,
  Clockwork,
  type Moment,
  physicalRun,
  pitrRecovery,
  startArchiving,
} from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

/** A value is written before each restore point, and each recovered server is asked for it. */
describe.each<ArchivingMode>(['Archive', 'Stream'])('walArchiving.mode %s', (mode) => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let moments: readonly Moment[];

  beforeAll(async () => {
    scenario = await startScenario(`pitr-${mode.toLowerCase()}`);
    postgres = await scenario.postgres();
    await startArchiving(scenario, mode);
    const clockwork = new Clockwork(postgres);
    await clockwork.begin();
    await scenario.apply(physicalRun(scenario.namespace, 'base'));
    const run = await scenario.finished('backuprun', 'base');
    expect(run.status).toMatchObject({ phase: 'Completed', error: '' });
    const seen: Moment[] = [];
    for (let index = 0; index < 6; index += 1) seen.push(await clockwork.tick());
    moments = seen;
    // The accident, after the last moment.
    await postgres.psql('drop table clockwork');
    await clockwork.archived(scenario);
  });

  const moment = (value: number): Moment => {
    const found = moments[value - 1];
    if (found === undefined) throw new Error(`no moment ${value}`);
    return found;
  };

  test.each<readonly [string, () => object, number]>([
    ['a time', () => ({ targetTime: moment(2).time }), 2],
    ['a position', () => ({ targetLSN: moment(3).lsn }), 3],
    ['a transaction', () => ({ targetXID: moment(4).xid }), 4],
    ['just before a transaction', () => ({ targetXID: moment(4).xid, exclusive: true }), 3],
    ['a named restore point', () => ({ targetName: moment(5).name }), 5],
    ['consistency', () => ({ targetImmediate: true }), 0],
  ])('recovers to %s', async (what, recoveryTarget, value) => {
    explainFailure(scenario);
    const name = `to-${what.replaceAll(' ', '-')}`;
    await scenario.apply(
      pitrRecovery(scenario.namespace, name, {
        recoveryTarget: recoveryTarget(),
        target: { ephemeral: {} },
        assertions: [{ database: 'postgres', query: 'select value from clockwork', expect: String(value) }],
      }),
    );
    const recovery = await scenario.finished('pitrrecovery', name);
    expect(recovery.status).toMatchObject({ phase: 'Completed', error: '', assertions: [{ passed: true }] });
    expect(recovery.status?.['reached']).toMatchObject({ lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/) });
  });

  test('recovers to the end of the archive, which has the accident', async () => {
    explainFailure(scenario);
    await scenario.apply(
      pitrRecovery(scenario.namespace, 'to-the-end', {
        target: { ephemeral: {} },
        assertions: [{ database: 'postgres', query: "select to_regclass('clockwork') is null", expect: 't' }],
      }),
    );
    const recovery = await scenario.finished('pitrrecovery', 'to-the-end');
    expect(recovery.status).toMatchObject({ phase: 'Completed', error: '', assertions: [{ passed: true }] });
  });

  test('refuses a target after the archive, and names the last one that is possible', async () => {
    explainFailure(scenario);
    await scenario.apply(
      pitrRecovery(scenario.namespace, 'too-late', {
        recoveryTarget: { targetTime: new Date(Date.now() + 3_600_000).toISOString() },
        target: { instance: { name: 'never-made', storage: { size: '2Gi' } } },
      }),
    );
    const recovery = await scenario.finished('pitrrecovery', 'too-late');
    expect(recovery.status).toMatchObject({ phase: 'Failed' });
    expect(recovery.status?.error).toMatch(/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d/);
    expect(await scenario.kubectl.get('statefulset', 'never-made', scenario.namespace)).toBeUndefined();
    expect(
      await scenario.kubectl.get('persistentvolumeclaim', 'data-never-made-0', scenario.namespace),
    ).toBeUndefined();
  });
});
