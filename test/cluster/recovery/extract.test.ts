import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { untilQuiet, untilToldOf } from '../../support/tidemark/recovered-server.ts';
import { Clockwork, type Moment, physicalRun, pitrRecovery, startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { fingerprintOfRows, loadShop } from '../../support/tidemark/shop.ts';

const oddDatabase = 'Käse & "Brot"';
const constraints = `select string_agg(conname || ' ' || pg_get_constraintdef(oid), ', ' order by conname)
  from pg_constraint where conrelid = 'shop.order_lines'::regclass and conparentid = 0`;
const oddTable = '"Ärger & Co"."Reklamation ""dringend"""';

/** Tables and databases of the recovered server are copied into the live one, which goes on all the while. */
describe('a table that was dropped by accident', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let before: readonly string[];
  let good: Moment;
  let started: string;
  let bound: string;

  beforeAll(async () => {
    scenario = await startScenario('extract');
    postgres = await scenario.postgres();
    await loadShop(postgres);
    await postgres.psql(`create database "Käse & ""Brot"""`);
    await postgres.psql(
      `create schema "Ärger & Co"; create table ${oddTable} as select n as "Nr.", 'Größe ' || n as "Größe" from generate_series(1, 77) n`,
      oddDatabase,
    );
    await startArchiving(scenario, 'Archive');
    const clockwork = new Clockwork(postgres);
    await clockwork.begin();
    await scenario.apply(physicalRun(scenario.namespace, 'base'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
    await postgres.psql("update shop.order_lines set product = 'changed after the backup' where line = 2", 'shop');
    before = await fingerprintOfRows(postgres);
    bound = await postgres.psql(constraints, 'shop');
    expect(bound).toMatch(/FOREIGN KEY.*PRIMARY KEY/);
    good = await clockwork.tick();
    await postgres.psql('drop table shop.order_lines', 'shop');
    await postgres.psql(`drop table ${oddTable}`, oddDatabase);
    await postgres.psql("insert into shop.audit (what, who) values ('after the accident', 'me')", 'shop');
    await clockwork.archived(scenario);
    started = await postgres.psql('select pg_postmaster_start_time()');
  });

  const extracting = async (
    name: string,
    databases: readonly object[],
    target: object = { ephemeral: {} },
    into: object = {},
  ) => {
    const live = {
      workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
      credentialsSecretRef: { name: 'orders-db' },
      ...into,
    };
    await scenario.apply(
      pitrRecovery(scenario.namespace, name, {
        recoveryTarget: { targetTime: good.time },
        target,
        extract: { databases, into: live },
      }),
    );
    const recovery = await scenario.finished('pitrrecovery', name, 240);
    await untilQuiet(scenario, name);
    return recovery;
  };

  const tableOf = (lines: readonly string[], name: string) => lines.filter((line) => line.includes(name));
  const without = (lines: readonly string[], ...names: readonly string[]) =>
    lines.filter((line) => !names.some((name) => line.includes(name)));

  test('comes back as it was into the live server, which keeps its other rows and runs on', async () => {
    explainFailure(scenario);
    const recovery = await extracting('one-table', [
      { name: 'shop', tables: { include: ['shop.order_lines'] } },
      { name: oddDatabase, tables: { include: [oddTable] } },
    ]);
    expect(recovery.status).toMatchObject({
      phase: 'Completed',
      error: '',
      plan: { timeline: 1, targetTime: expect.stringMatching(/Z$/) },
      reached: { timeline: 2, lsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/) },
      measured: { rtoSeconds: expect.any(Number), rpoSeconds: expect.any(Number) },
      extracted: { databases: 2, objects: expect.any(Number) },
      conditions: [expect.objectContaining({ type: 'Succeeded', status: 'True' })],
    });
    const now = await fingerprintOfRows(postgres);
    expect(tableOf(now, 'order_lines')).toEqual(tableOf(before, 'order_lines'));
    expect(tableOf(now, 'order_lines').length).toBeGreaterThan(0);
    expect(without(now, 'audit')).toEqual(without(before, 'audit'));
    expect(await postgres.psql("select count(*) from shop.audit where what = 'after the accident'", 'shop')).toBe('1');
    expect(await postgres.psql(constraints, 'shop')).toBe(bound);
    expect(await postgres.psql(`select count(*), max("Größe") from ${oddTable}`, oddDatabase)).toBe('77|Größe 9');
    expect(await postgres.psql('select pg_postmaster_start_time()')).toBe(started);
    const { namespace, kubectl } = scenario;
    const table = await kubectl.run(['get', 'pitr', 'one-table', '-o', 'wide'], { namespace });
    expect(table).toMatch(/^NAME +PHASE +TARGET +REACHED +SERVICE +SECONDS +REASON +ERROR +AGE$/m);
    expect(table).toMatch(/^one-table +Completed +20\S+Z +20\S+Z /m);
    await untilToldOf(scenario, 'one-table', /^Extracted: .*orders-db/);
  });

  test('a table that is there already is refused by its name, and nothing of the server changes', async () => {
    explainFailure(scenario);
    const then = await fingerprintOfRows(postgres);
    const recovery = await extracting('still-there', [
      { name: 'shop', tables: { include: ['shop.customers'] } },
      { name: 'shop', targetName: 'not_made' },
    ]);
    expect(recovery.status).toMatchObject({ phase: 'Failed' });
    expect(recovery.status?.conditions).toMatchObject([
      { type: 'Succeeded', status: 'False', reason: 'TargetExists' },
      { type: 'Stalled' },
    ]);
    expect(recovery.status?.error).toMatch(/customers/);
    expect(recovery.status?.error).toMatch(/extract\.databases/);
    expect(recovery.status?.error).not.toMatch(/onConflict|target\.server/);
    expect(await fingerprintOfRows(postgres)).toEqual(then);
    expect(await postgres.psql("select count(*) from pg_database where datname = 'not_made'")).toBe('0');
  });

  test('a table and a database that the recovered server does not have are refused by name', async () => {
    explainFailure(scenario);
    const [table, database] = await Promise.all([
      extracting('no-such-table', [{ name: 'shop', tables: { include: ['shop.invoices'] }, targetName: 'elsewhere' }]),
      extracting('no-such-database', [{ name: 'shopp' }]),
    ]);
    expect(table.status).toMatchObject({ phase: 'Failed' });
    expect(table.status?.conditions).toMatchObject([{ reason: 'NothingMatches' }, { type: 'Stalled' }]);
    expect(table.status?.error).toMatch(/shop\.invoices/);
    expect(database.status).toMatchObject({ phase: 'Failed' });
    expect(database.status?.error).toMatch(/shopp/);
    for (const { status } of [table, database]) expect(status?.error).toMatch(/extract\.databases/);
    expect(await postgres.psql("select count(*) from pg_database where datname in ('elsewhere', 'shopp')")).toBe('0');
  });

  test('a whole database comes beside the live one by way of an instance, of which nothing stays', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const recovery = await extracting('a-database', [{ name: 'shop', targetName: 'Laden – früher "so"' }], {
      instance: { name: 'in-between', storage: { size: '2Gi' } },
    });
    expect(recovery.status).toMatchObject({ phase: 'Completed', error: '', extracted: { databases: 1 } });
    expect(recovery.status?.['endpoint']).toBeUndefined();
    expect(await fingerprintOfRows(postgres, 'Laden – früher "so"')).toEqual(before);
    for (const [kind, name] of [
      ['statefulset', 'in-between'],
      ['service', 'in-between'],
      ['persistentvolumeclaim', 'data-in-between-0'],
    ] as const) {
      const left = await kubectl.get(kind, name, namespace);
      expect(left === undefined || left.metadata['deletionTimestamp'] !== undefined, `${kind} ${name}`).toBe(true);
    }
  });

  test('a live server that does not take the role ends it, and says which Secret to correct', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'wrong-one', namespace },
      stringData: { username: 'postgres', password: 'not this' },
    });
    const recovery = await extracting(
      'wrong-password',
      [{ name: 'shop', targetName: 'never' }],
      { ephemeral: {} },
      { credentialsSecretRef: { name: 'wrong-one' } },
    );
    expect(recovery.status).toMatchObject({ phase: 'Failed' });
    expect(recovery.status?.error).toMatch(/wrong-one/);
  });
});
