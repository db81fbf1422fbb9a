import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { backUpWhole, untilQuiet, untilReady, untilToldOf } from '../../support/tidemark/recovered-server.ts';
import { pitrRecovery } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

const inPlace = { inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db' } };
/** A question that keeps the recovered server busy, so that the recovery is surely in its middle. */
const long = { database: 'postgres', query: 'select pg_sleep(900)', expect: '' };

/** However a recovery ends, nothing half-made stays, and what was there before is there again. */
describe('a recovery that', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let backupID: string;

  beforeAll(async () => {
    scenario = await startScenario('endings');
    postgres = await scenario.postgres();
    await postgres.psql(
      "create table notes (what text); insert into notes values ('in the backup'); create table dropped as select generate_series(1, 9) n",
    );
    backupID = await backUpWhole(scenario);
    await postgres.psql("insert into notes values ('after the backup'); drop table dropped");
  });

  const begin = (name: string, spec: Readonly<Record<string, unknown>>) =>
    scenario.apply(
      pitrRecovery(scenario.namespace, name, { recoveryTarget: { targetImmediate: true, backupID }, ...spec }),
    );
  const midway = (name: string, phase = 'Checking') =>
    until(
      `${name} to be ${phase}`,
      async () =>
        (await scenario.kubectl.get('pitrrecovery', name, scenario.namespace))?.status?.phase === phase || undefined,
    );
  const cancel = async (name: string) => {
    const { kubectl, namespace } = scenario;
    await kubectl.run(['patch', 'pitr', name, '--type', 'merge', '--patch', '{"spec":{"cancel":true}}'], { namespace });
    return await scenario.finished('pitrrecovery', name);
  };
  const present = async (kind: string, name: string) => {
    const object = await scenario.kubectl.get(kind, name, scenario.namespace);
    return object !== undefined && object.metadata['deletionTimestamp'] === undefined;
  };
  const asBefore = async () => {
    await untilReady(scenario, 'orders-db');
    expect(await postgres.psql("select string_agg(what, ', ') from notes")).toBe('in the backup, after the backup');
    expect(await postgres.exec(['ls', '-A', '/var/lib/postgresql/data'])).toBe('pgdata');
  };

  test('is cancelled in its middle leaves nothing: a new instance, a drill, a copy into a live server', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    // Uncommitted: the table is not there yet, and whoever makes one of its name waits.
    const blocker = postgres.psql('begin; create table dropped (); select pg_sleep(600)').catch(() => '');
    const waiting = "from pg_stat_activity where wait_event_type = 'Lock'";
    const into = {
      workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
      credentialsSecretRef: { name: 'orders-db' },
    };
    const databases = [{ name: 'postgres', tables: { include: ['public.dropped'] } }];
    const recoveries = {
      'new-one': { target: { instance: { name: 'half-made', storage: { size: '2Gi' } } }, assertions: [long] },
      'a-drill': { target: { ephemeral: {} }, assertions: [long] },
      'a-copy': { target: { ephemeral: {} }, extract: { databases, into } },
    };
    for (const [name, spec] of Object.entries(recoveries)) await begin(name, spec);
    for (const name of Object.keys(recoveries)) {
      await midway(name);
      if (name === 'a-copy')
        await until('the copy to wait', async () => (await postgres.psql(`select count(*) ${waiting}`)) === '1');
      const { status } = await cancel(name);
      expect(status).toMatchObject({
        phase: 'Cancelled',
        error: '',
        conditions: [{ type: 'Succeeded', status: 'False', reason: 'Cancelled' }, { type: 'Stalled' }],
      });
      await untilQuiet(scenario, name);
      await untilToldOf(scenario, name, /^Cancelled: /);
    }
    expect(await postgres.psql(`select count(*) ${waiting}`)).toBe('0');
    await postgres.psql(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%sleep(600)%' and pid <> pg_backend_pid()",
    );
    await blocker;
    expect(await postgres.psql("select to_regclass('dropped') is null")).toBe('t');
    expect(await present('statefulset', 'half-made')).toBe(false);
    expect(await present('service', 'half-made')).toBe(false);
    expect(await present('persistentvolumeclaim', 'data-half-made-0')).toBe(false);
    // The cluster itself removes the volumes of pods that have gone, in its own time.
    await until('nothing but the claim of the server to be left', async () => {
      const claims = await scenario.kubectl.list('persistentvolumeclaims', namespace);
      const kept = claims.filter(({ metadata }) => metadata['deletionTimestamp'] === undefined);
      return kept.length === 1 && kept[0]?.metadata.name === 'data-orders-db-0';
    });
  });

  test('is cancelled in place puts the old data back and scales up again; a second one meanwhile is refused', async () => {
    explainFailure(scenario);
    await begin('back', { target: inPlace, assertions: [long] });
    await midway('back');
    await begin('too-many', { target: inPlace });
    const refused = await scenario.finished('pitrrecovery', 'too-many');
    expect(refused.status).toMatchObject({
      phase: 'Failed',
      conditions: [{ type: 'Succeeded', status: 'False', reason: 'RecoveryUnderWay' }, { type: 'Stalled' }],
      error: expect.stringMatching(/PitrRecovery back .*StatefulSet orders-db/),
    });
    const { kubectl, namespace } = scenario;
    expect((await kubectl.get('statefulset', 'orders-db', namespace))?.spec?.['replicas']).toBe(0);
    const { status } = await cancel('back');
    expect(status).toMatchObject({ phase: 'Cancelled', error: '', replicas: 1 });
    await asBefore();
  });

  test('is deleted while it runs in place ends the same way', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    await begin('deleted', { target: inPlace, assertions: [long] });
    await midway('deleted');
    await kubectl.run(['delete', 'pitr', 'deleted', '--timeout=120s'], { namespace, timeoutSeconds: 130 });
    await asBefore();
    expect(await kubectl.list('jobs', namespace, 'tidemark.dev/recovery=deleted')).toEqual([]);
  });

  test('runs into its Job’s deadline, or has a wrong answer, is undone, and says so', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    await begin('late', { target: inPlace, assertions: [long] });
    await midway('late');
    const { status: running } = (await kubectl.get('pitrrecovery', 'late', namespace)) ?? {};
    await kubectl.run(
      ['patch', 'job', String(running?.['jobName']), '--patch', '{"spec":{"activeDeadlineSeconds":1}}'],
      { namespace },
    );
    const late = await scenario.finished('pitrrecovery', 'late');
    expect(late.status).toMatchObject({
      phase: 'Failed',
      conditions: [{ reason: 'DeadlineExceeded' }, { type: 'Stalled' }],
    });
    await asBefore();

    const question = { database: 'postgres', query: 'select count(*) from notes', expect: '2' };
    await begin('wrong', { target: { instance: { name: 'wrong', storage: { size: '2Gi' } } }, assertions: [question] });
    const wrong = await scenario.finished('pitrrecovery', 'wrong');
    expect(wrong.status).toMatchObject({
      phase: 'Failed',
      conditions: [{ reason: 'AssertionFailed' }, { type: 'Stalled' }],
      error: expect.stringContaining('gave "1" instead of "2"'),
      assertions: [{ ...question, got: '1', passed: false }],
    });
    expect(await present('statefulset', 'wrong')).toBe(false);
    expect(await present('persistentvolumeclaim', 'data-wrong-0')).toBe(false);
    const table = await kubectl.run(['get', 'pitr'], { namespace });
    expect(table).toMatch(/^wrong +Failed .*gave "1" instead of "2"/m);
  });

  test('would take a name that is taken is refused before anything is touched', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    await begin('taken', { target: { instance: { name: 'orders-db', storage: { size: '2Gi' } } } });
    const { status } = await scenario.finished('pitrrecovery', 'taken');
    expect(status).toMatchObject({
      phase: 'Failed',
      conditions: [{ reason: 'TargetExists' }, { type: 'Stalled' }],
      error: expect.stringMatching(/(StatefulSet|Service|PersistentVolumeClaim) .*orders-db.*Nothing was touched/),
    });
    expect(status?.['plan']).toBeUndefined();
    expect(await kubectl.list('jobs', namespace, 'tidemark.dev/recovery=taken')).toEqual([]);
    await asBefore();
  });

  test('meets its objectives, or misses them, says so with figures; the data is good in both', async () => {
    explainFailure(scenario);
    const drill = { target: { ephemeral: {} } };
    await begin('slow', { ...drill, objectives: { rtoSeconds: 3600 } });
    await begin('quick', { ...drill, objectives: { rtoSeconds: 1 } });
    const met = await scenario.finished('pitrrecovery', 'slow');
    expect(met.status).toMatchObject({
      phase: 'Completed',
      measured: { rtoSeconds: expect.any(Number) },
      conditions: expect.arrayContaining([
        expect.objectContaining({ type: 'ObjectivesMet', status: 'True', reason: 'ObjectivesMet' }),
      ]),
    });
    const missed = await scenario.finished('pitrrecovery', 'quick');
    expect(missed.status).toMatchObject({
      phase: 'Completed',
      conditions: expect.arrayContaining([
        expect.objectContaining({
          type: 'ObjectivesMet',
          status: 'False',
          reason: 'ObjectivesMissed',
          message: expect.stringMatching(/took \d+ s, and 1 s are allowed/),
        }),
      ]),
    });
    await untilToldOf(scenario, 'quick', /^ObjectivesMissed: /);
  });
});
