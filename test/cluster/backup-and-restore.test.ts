import { beforeAll, describe, expect, test } from 'vitest';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { fingerprint, loadShop } from '../support/tidemark/shop.ts';
import { until } from '../support/tidemark/until.ts';

describe('a shop on PostgreSQL 17', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let before: readonly string[];

  beforeAll(async () => {
    scenario = await startScenario('shop');
    postgres = await scenario.postgres();
    await loadShop(postgres);
    before = await fingerprint(postgres);
    await scenario.apply(...scenario.repositoryObjects(), logicalPolicy(scenario.namespace));
    await scenario.condition('backuppolicy', 'orders', { type: 'Ready', status: 'True' });
  });

  test.each(['Custom', 'Directory'] as const)(
    'a %s backup made by hand is restored whole into a new database, every row',
    async (format) => {
      explainFailure(scenario);
      const { namespace } = scenario;
      const policy = `shop-${format.toLowerCase()}`;
      const logical = { format, databases: { include: ['shop'] }, ...(format === 'Directory' ? { jobs: 2 } : {}) };
      await scenario.apply(
        logicalPolicy(namespace, { logical }, policy),
        backupRun(namespace, policy, { policyRef: { name: policy } }),
      );
      const run = await scenario.finished('backuprun', policy);
      expect(run.status).toMatchObject({
        phase: 'Completed',
        error: '',
        repositories: [{ name: 'offsite', state: 'Stored' }],
      });
      expect(run.status?.['databases']).toMatchObject([{ name: 'shop' }]);
      expect(run.status?.['checksum']).toMatch(/^sha256:[0-9a-f]{64}$/);

      const targetName = `shop_${format.toLowerCase()}`;
      await scenario.apply(
        restoreRequest(namespace, policy, {
          source: { backupRunRef: { name: policy } },
          databases: [{ name: 'shop', targetName }],
          jobs: 2,
          assertions: [{ database: targetName, query: 'select count(*) from shop.orders', expect: '40000' }],
        }),
      );
      const restore = await scenario.finished('restorerequest', policy);
      expect(restore.status).toMatchObject({
        phase: 'Completed',
        restored: { databases: 1, errors: 0 },
        assertions: [{ got: '40000', passed: true }],
      });
      expect(await fingerprint(postgres, targetName)).toEqual(before);
    },
  );

  test('dropped tables come back with their indexes, keys, partitions and grants', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(backupRun(namespace, 'before-the-accident'));
    expect((await scenario.finished('backuprun', 'before-the-accident')).status?.phase).toBe('Completed');
    const shape = () => postgres.psql(schemaOf('shop.orders'), 'shop');
    const shapeBefore = await shape();
    await postgres.psql(
      'drop view shop.revenue; drop materialized view shop.best_customers; drop table shop.order_lines, shop.orders cascade',
      'shop',
    );

    await scenario.apply(
      restoreRequest(namespace, 'bring-orders-back', {
        source: { latest: { policyRef: { name: 'orders' }, method: 'Logical' } },
        databases: [
          {
            name: 'shop',
            tables: { include: ['shop.orders', 'shop.order_lines', 'shop.revenue', 'shop.best_customers'] },
          },
        ],
      }),
    );
    expect((await scenario.finished('restorerequest', 'bring-orders-back')).status).toMatchObject({
      phase: 'Completed',
    });
    expect(await fingerprint(postgres)).toEqual(before);
    expect(await shape()).toBe(shapeBefore);
  });

  test('a schedule starts a backup, and its Job is recorded as a BackupRun', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const schedules = [{ name: 'every-minute', cron: '* * * * *', timeZone: 'Asia/Kolkata', method: 'Logical' }];
    await scenario.apply(
      logicalPolicy(namespace, { schedules, logical: { databases: { include: ['shop'] } } }, 'scheduled'),
    );
    const run = await until(
      'the schedule to start a run',
      async () => (await kubectl.list('backupruns', namespace, 'tidemark.dev/policy=scheduled'))[0],
      { seconds: 150 },
    );
    await kubectl.run(['patch', 'backuppolicy', 'scheduled', '--type=merge', '-p', '{"spec":{"suspend":true}}'], {
      namespace,
    });
    expect((await scenario.finished('backuprun', run.metadata.name)).status).toMatchObject({
      phase: 'Completed',
      jobName: run.metadata.name,
    });
    const policy = await scenario.condition('backuppolicy', 'scheduled', {
      type: 'LastBackupSucceeded',
      status: 'True',
    });
    expect(policy.status?.['lastSuccessfulRun']).toMatchObject({ name: run.metadata.name });
  });

  test('dryRun shows the plan and touches nothing', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(
      restoreRequest(namespace, 'plan-only', {
        source: { latest: { policyRef: { name: 'orders' }, method: 'Logical' } },
        databases: [{ name: 'shop', targetName: 'never_made' }],
        dryRun: true,
      }),
    );
    const request = await scenario.finished('restorerequest', 'plan-only');
    expect(request.status).toMatchObject({ phase: 'Completed' });
    expect(JSON.stringify(request.status?.['plan'])).toContain('never_made');
    expect(await postgres.psql("select count(*) from pg_database where datname = 'never_made'")).toBe('0');
  });
});

/** Columns, indexes, constraints, partitions, owner and grants of a relation, in a comparable form. */
function schemaOf(relation: string): string {
  return `
    select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute where attrelid = '${relation}'::regclass and attnum > 0 order by attnum;
    select pg_get_indexdef(indexrelid) from pg_index where indrelid = '${relation}'::regclass order by 1;
    select conname, pg_get_constraintdef(oid) from pg_constraint where conrelid = '${relation}'::regclass or confrelid = '${relation}'::regclass order by 1;
    select inhrelid::regclass::text, pg_get_expr(relpartbound, c.oid) from pg_inherits join pg_class c on c.oid = inhrelid where inhparent = '${relation}'::regclass order by 1;
    select pg_get_userbyid(relowner), relacl::text, obj_description(oid) from pg_class where oid = '${relation}'::regclass;`;
}
