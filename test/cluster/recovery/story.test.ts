import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { Clockwork, type Moment, physicalRun, pitrRecovery, startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { s3Repository } from '../../support/tidemark/scenario-objects.ts';
import { fingerprintOfRows, loadShop } from '../../support/tidemark/shop.ts';
import { until } from '../../support/tidemark/until.ts';

/** The tutorial's story: insert, base backup, archive, delete by accident, recover to just before, every row is back. */
describe('a shop that archives its WAL', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let clockwork: Clockwork;
  let before: readonly string[];
  let good: Moment;

  beforeAll(async () => {
    scenario = await startScenario('story');
    postgres = await scenario.postgres();
    await loadShop(postgres);
    await startArchiving(scenario, 'Archive');
    clockwork = new Clockwork(postgres);
    await clockwork.begin();
    await scenario.apply(physicalRun(scenario.namespace, 'base'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
    await postgres.psql(
      'insert into shop.orders (customer_id, placed_at, net) select customer_id, placed_at, net from shop.orders limit 500',
      'shop',
    );
    before = await fingerprintOfRows(postgres);
    good = await clockwork.tick();
    await postgres.psql('delete from shop.order_lines; delete from shop.orders', 'shop');
    await clockwork.archived(scenario);
  });

  const recovered = async (name: string, spec: Readonly<Record<string, unknown>>, seconds = 240) => {
    await scenario.apply(pitrRecovery(scenario.namespace, name, spec));
    return await scenario.finished('pitrrecovery', name, seconds);
  };

  const value = async (server: PostgresWorkload) => (await server.psql('select value from clockwork')).trim();

  test('status.restorable says from when to when', async () => {
    explainFailure(scenario);
    const policy = await until('the window', async () => {
      const seen = await scenario.kubectl.get('backuppolicy', 'orders', scenario.namespace);
      const restorable = seen?.status?.['restorable'] as { earliestTime?: string; latestTime?: string } | undefined;
      return (
        restorable?.earliestTime !== undefined &&
        Date.parse(restorable.latestTime ?? '') >= Date.parse(good.time) &&
        seen
      );
    });
    expect(policy.status?.['restorable']).toMatchObject({ gaps: [] });
    const table = await scenario.kubectl.run(['get', 'bpol', 'orders'], { namespace: scenario.namespace });
    expect(table).toMatch(/RESTORABLE FROM/);
    expect(table).toMatch(/20\d\d-\d\d-\d\dT/);
  });

  test('dryRun shows the plan and touches nothing', async () => {
    explainFailure(scenario);
    const recovery = await recovered('only-a-plan', {
      recoveryTarget: { targetTime: good.time },
      target: { instance: { name: 'planned', storage: { size: '2Gi' } } },
      dryRun: true,
    });
    expect(recovery.status).toMatchObject({ phase: 'Completed' });
    expect(recovery.status?.['plan']).toMatchObject({
      timeline: 1,
      backupID: expect.stringMatching(/-physical-full$/),
    });
    expect(await scenario.kubectl.get('statefulset', 'planned', scenario.namespace)).toBeUndefined();
  });

  test('a new instance has every row from just before the accident, and is itself backed up and recovered', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const recovery = await recovered('before-the-delete', {
      recoveryTarget: { targetTime: good.time },
      target: { instance: { name: 'orders-recovered', storage: { size: '2Gi' } } },
    });
    expect(recovery.status).toMatchObject({
      phase: 'Completed',
      error: '',
      reached: { timeline: 2 },
      endpoint: { service: 'orders-recovered', port: 5432 },
    });
    const copy = inside(scenario, postgres, 'orders-recovered');
    expect(await fingerprintOfRows(copy)).toEqual(before);
    expect(await copy.psql('show archive_mode')).toBe('off');
    expect(await copy.psql('show restore_command')).toBe('');
    expect(await copy.psql('select pg_is_in_recovery()')).toBe('f');

    // Another server under its own policy, with a backup that needs no archive.
    await scenario.apply({
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'BackupPolicy',
      metadata: { name: 'recovered', namespace },
      spec: {
        source: {
          workloadRef: { kind: 'StatefulSet', name: 'orders-recovered' },
          credentialsSecretRef: { name: 'orders-db' },
        },
        repositoryRefs: [{ name: 'offsite' }],
        physical: { walMethod: 'Stream' },
      },
    });
    await scenario.apply(physicalRun(namespace, 'of-the-copy', { policyRef: { name: 'recovered' } }));
    expect((await scenario.finished('backuprun', 'of-the-copy')).status).toMatchObject({
      phase: 'Completed',
      error: '',
    });
    const again = await recovered('again', {
      source: { policyRef: { name: 'recovered' } },
      recoveryTarget: { targetImmediate: true },
      target: { ephemeral: {} },
      assertions: [{ database: 'postgres', query: 'select value from clockwork', expect: String(good.value) }],
    });
    expect(again.status).toMatchObject({ phase: 'Completed', error: '' });
    await kubectl.run(['delete', 'pitrrecovery', 'before-the-delete'], { namespace });
    expect(await kubectl.get('statefulset', 'orders-recovered', namespace)).toBeDefined();
  });

  test('in place: a recovery that fails is undone by itself', async () => {
    explainFailure(scenario);
    const recovery = await recovered('wrong-question', {
      recoveryTarget: { targetTime: good.time },
      target: { inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db' } },
      assertions: [{ database: 'postgres', query: 'select 1', expect: '2' }],
    });
    expect(recovery.status).toMatchObject({ phase: 'Failed' });
    await untilReady(scenario, 'orders-db');
    expect(await postgres.psql('select count(*) from shop.orders', 'shop')).toBe('0');
    expect(await postgres.psql('select timeline_id from pg_control_checkpoint()')).toBe('1');
  });

  test('in place twice, then back to the old timeline and on the new one', async () => {
    explainFailure(scenario);
    const inPlace = { inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db' } };
    const first = await recovered('first-time-back', { recoveryTarget: { targetTime: good.time }, target: inPlace });
    expect(first.status).toMatchObject({ phase: 'Completed', error: '', reached: { timeline: 2 } });
    await untilReady(scenario, 'orders-db');
    expect(await fingerprintOfRows(postgres)).toEqual(before);
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 180);
    const onSecond = await clockwork.tick();
    await clockwork.archived(scenario);

    const second = await recovered('second-time-back', {
      recoveryTarget: { targetTime: onSecond.time },
      target: inPlace,
    });
    expect(second.status).toMatchObject({ phase: 'Completed', error: '', reached: { timeline: 3 } });
    await untilReady(scenario, 'orders-db');
    expect(await value(postgres)).toBe(String(onSecond.value));
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 180);
    const onThird = await clockwork.tick();
    await clockwork.archived(scenario);

    const ephemeral = (name: string, recoveryTarget: object, expected: number) =>
      recovered(name, {
        recoveryTarget,
        target: { ephemeral: {} },
        assertions: [{ database: 'postgres', query: 'select value from clockwork', expect: String(expected) }],
      });
    const base = (await scenario.finished('backuprun', 'base')).status?.backupID ?? '';
    const [old, latest] = await Promise.all([
      ephemeral('the-old-timeline', { targetTLI: 1, backupID: base, targetTime: good.time }, good.value),
      ephemeral('the-new-timeline', { targetTLI: 'latest', targetTime: onThird.time }, onThird.value),
    ]);
    expect(old.status).toMatchObject({ phase: 'Completed', error: '', plan: { timeline: 1 } });
    expect(latest.status).toMatchObject({ phase: 'Completed', error: '', plan: { timeline: 3 } });
    // After a new timeline a full backup begins by itself.
    await until(
      'a full backup of the new timeline',
      async () => {
        const runs = await scenario.kubectl.list('backupruns', scenario.namespace, 'tidemark.dev/policy=orders');
        return runs.some(
          ({ status }) =>
            status?.phase === 'Completed' && (status['server'] as { timeline?: number } | undefined)?.timeline === 3,
        );
      },
      { seconds: 180 },
    );
  });

  test('a RestoreRequest of a physical backup brings back the backup’s end', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply({
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'RestoreRequest',
      metadata: { name: 'the-base', namespace },
      spec: {
        source: { backupRunRef: { name: 'base' } },
        target: { instance: { name: 'orders-base', storage: { size: '2Gi' } } },
      },
    });
    expect((await scenario.finished('restorerequest', 'the-base', 240)).status).toMatchObject({
      phase: 'Completed',
      error: '',
    });
    expect(await value(inside(scenario, postgres, 'orders-base'))).toBe('0');
  });

  test('a bare cluster recovers from the repository alone', async () => {
    explainFailure(scenario);
    const bare = await startScenario('bare');
    explainFailure(bare);
    await bare.apply(
      scenario.s3.secret(bare.namespace, 'offsite-s3'),
      s3Repository(bare.namespace, 'offsite', scenario.s3.endpoint, scenario.bucket, [scenario.namespace]),
      pitrRecovery(bare.namespace, 'after-the-fire', {
        source: { repository: { repositoryRef: { name: 'offsite' }, policy: 'orders', namespace: scenario.namespace } },
        recoveryTarget: { targetTLI: 1, targetTime: good.time },
        target: {
          instance: { name: 'orders-db', storage: { size: '2Gi' }, image: scenario.images['postgres-17'] ?? '' },
        },
      }),
    );
    expect((await bare.finished('pitrrecovery', 'after-the-fire', 240)).status).toMatchObject({
      phase: 'Completed',
      error: '',
    });
    expect(await fingerprintOfRows(inside(bare, postgres, 'orders-db'))).toEqual(before);
  });
});

/** psql in the pod of another instance, whose roles and passwords are the original's. */
function inside({ kubectl, namespace }: Scenario, original: PostgresWorkload, name: string): PostgresWorkload {
  const exec = (command: readonly string[], input?: string) =>
    kubectl.run(['exec', '-i', `${name}-0`, '--', ...command], {
      namespace,
      timeoutSeconds: 600,
      ...(input === undefined ? {} : { input }),
    });
  const psql = (sql: string, database = 'postgres') =>
    exec(
      [
        'env',
        `PGPASSWORD=${original.password}`,
        'psql',
        '-h',
        '127.0.0.1',
        '-U',
        'postgres',
        '-XqAt',
        '-v',
        'ON_ERROR_STOP=1',
        '-d',
        database,
      ],
      sql,
    );
  return { ...original, namespace, name, psql, exec };
}

async function untilReady({ kubectl, namespace }: Scenario, name: string): Promise<void> {
  await until(`${name} to be ready`, async () => {
    const set = await kubectl.get('statefulset', name, namespace);
    return set?.status?.['readyReplicas'] === 1;
  });
}
