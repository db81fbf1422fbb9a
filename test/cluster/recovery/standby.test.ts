import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { serverIn, untilReady, untilToldOf } from '../../support/tidemark/recovered-server.ts';
import { physicalRun, pitrRecovery, startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

/** A replica that is made from the backup and the archive, and not from the primary. */
describe('target.instance.standbyOf', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;

  beforeAll(async () => {
    scenario = await startScenario('standby');
    const { namespace } = scenario;
    postgres = await scenario.postgres();
    await postgres.psql(`
      create table notes (what text);
      create role replicator login replication password 'it''s "quoted" \\ here';
      create role reader login password 'reads';`);
    await startArchiving(scenario, 'Archive');
    await scenario.apply(
      physicalRun(namespace, 'base'),
      secret(namespace, 'replicator', `it's "quoted" \\ here`),
      secret(namespace, 'reader', 'reads'),
      secret(namespace, 'replicator', 'not this', 'wrong-password'),
    );
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
    await postgres.psql("insert into notes values ('after the backup'); select pg_switch_wal()");
  });

  const recovered = async (name: string, standbyOf: object) => {
    const instance = { name, storage: { size: '2Gi' }, standbyOf };
    await scenario.apply(pitrRecovery(scenario.namespace, name, { target: { instance } }));
    return await scenario.finished('pitrrecovery', name, 240);
  };
  const primary = () => `orders-db-0.orders-db.${scenario.namespace}.svc`;
  const nothingIsLeft = async (name: string) => {
    const { kubectl, namespace } = scenario;
    for (const [kind, object] of [
      ['statefulset', name],
      ['service', name],
      ['persistentvolumeclaim', `data-${name}-0`],
    ] as const) {
      const left = await kubectl.get(kind, object, namespace);
      expect(left === undefined || left.metadata['deletionTimestamp'] !== undefined, `${kind} ${object}`).toBe(true);
    }
  };

  test('follows the primary: rows arrive, it is read-only, and it has never been promoted', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const recovery = await recovered('replica', { host: primary(), credentialsSecretRef: { name: 'replicator' } });
    expect(recovery.status).toMatchObject({
      phase: 'Completed',
      error: '',
      reached: { timeline: 1 },
      endpoint: { service: 'replica', port: 5432 },
      conditions: [{ type: 'Succeeded', status: 'True', reason: 'StandbyReady' }],
    });
    const replica = serverIn(scenario, postgres, 'replica');
    await untilReady(scenario, 'replica');
    expect(await replica.psql('select pg_is_in_recovery(), what from notes')).toBe('t|after the backup');
    await postgres.psql("insert into notes values ('written while it follows')");
    await until('the row to arrive', async () => (await replica.psql('select count(*) from notes')) === '2');
    expect(
      await postgres.psql("select usename, state from pg_stat_replication where application_name <> 'tidemark'"),
    ).toMatch(/^replicator\|streaming$/m);
    await expect(replica.psql("insert into notes values ('here')")).rejects.toThrow(/read-only transaction/);
    expect(await replica.psql('select timeline_id from pg_control_checkpoint()')).toBe('1');
    expect(await replica.psql('show archive_mode')).toBe('off');
    const table = await kubectl.run(['get', 'pitr', 'replica', '-o', 'wide'], { namespace });
    expect(table).toMatch(/^replica +Completed .* replica +\d+ +StandbyReady /m);
    await untilToldOf(scenario, 'replica', /^StandbyReady: .*a standby of orders-db-0/);
  });

  test('a role that the primary does not take ends it before anything is restored', async () => {
    explainFailure(scenario);
    const cases = [
      ['no-right', 'reader', /reader.*ALTER ROLE "reader" REPLICATION/],
      ['no-password', 'wrong-password', /wrong-password/],
      ['no-secret', 'missing', /missing.*kubectl .*create secret/],
    ] as const;
    const ended = cases.map(async ([name, secret, words]) => {
      const { status } = await recovered(name, { host: primary(), credentialsSecretRef: { name: secret } });
      expect(status).toMatchObject({ phase: 'Failed', error: expect.stringMatching(words) });
      expect(status?.['reached']).toBeUndefined();
      await nothingIsLeft(name);
    });
    await Promise.all(ended);
  });

  test('another server, and one that is gone, are refused by their names', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    const password = 'of another server';
    await scenario.postgres({ name: 'other-db', password });
    await scenario.apply(secret(namespace, 'postgres', password, 'of-the-other'));
    const cases = [
      ['of-another', `other-db-0.other-db.${namespace}.svc`, 'another server'],
      // The name of a pod that its StatefulSet does not have now.
      ['of-none', `other-db-1.other-db.${namespace}.svc`, 'does not take the standby'],
    ] as const;
    const ended = cases.map(async ([name, host, words]) => {
      const { status } = await recovered(name, { host, credentialsSecretRef: { name: 'of-the-other' } });
      expect(status).toMatchObject({ phase: 'Failed', error: expect.stringContaining(host) });
      expect(status?.error).toContain('standbyOf');
      expect(status?.error).toContain(words);
      if (name === 'of-another')
        expect(status?.conditions).toMatchObject([{ reason: 'WrongPrimary' }, { type: 'Stalled' }]);
      await nothingIsLeft(name);
    });
    await Promise.all(ended);
  });
});

function secret(namespace: string, username: string, password: string, name = username): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: { username, password } };
}
