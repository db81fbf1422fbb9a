import { beforeAll, describe, expect, test } from 'vitest';
import type { Loose } from '../support/tidemark/kubectl.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

interface Warned {
  readonly type: string;
  readonly reason: string;
  readonly regarding: { readonly name: string };
}

describe('a role that may not read everything backs a server up', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;

  beforeAll(async () => {
    scenario = await startScenario('logical');
    postgres = await scenario.postgres();
    await postgres.psql(`
      create role reader login password 'reader';
      create database shop; create database payroll; create database guarded;`);
    await postgres.psql(
      'create table orders as select i, md5(i::text) as text from generate_series(1, 40000) i; grant select on orders to reader; create extension pg_trgm',
      'shop',
    );
    await postgres.psql('create table salaries as select 1 as one', 'payroll');
    await postgres.psql(
      'create table tenants as select 1 as one; alter table tenants enable row level security; grant select on tenants to reader',
      'guarded',
    );
    await scenario.apply(...scenario.repositoryObjects(), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'reader', namespace: scenario.namespace },
      type: 'kubernetes.io/basic-auth',
      stringData: { username: 'reader', password: 'reader' },
    });
  });

  const source = {
    workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
    credentialsSecretRef: { name: 'reader' },
  };
  const conditions = ({ conditions: present = [] }: Loose['status'] & object) =>
    Object.fromEntries(present.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
  const warned = (reason: string, name: string) =>
    until(`an Event ${reason} of ${name}`, async () => {
      const events = await scenario.kubectl.list<Warned>('events.events.k8s.io', scenario.namespace);
      return events.some((each) => each.type === 'Warning' && each.reason === reason && each.regarding.name === name);
    });

  test('databases it may not read fail the run and are named; the others can be restored from it', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(
      logicalPolicy(namespace, { source, logical: { format: 'Plain' } }, 'whole-server'),
      backupRun(namespace, 'some', { policyRef: { name: 'whole-server' } }),
    );
    const { status } = await scenario.finished('backuprun', 'some');
    expect(status).toMatchObject({ phase: 'Failed', repositories: [{ name: 'offsite', state: 'Stored' }] });
    expect(conditions(status ?? {})).toEqual({
      Succeeded: 'False DatabasesFailed',
      Stalled: 'True DatabasesFailed',
      GlobalsComplete: 'False RolesWithoutPasswords',
    });
    expect(status?.['error']).toMatch(
      /^2 of 4 databases could not be dumped: guarded, payroll\. .*BYPASSRLS.*GRANT SELECT/s,
    );
    expect(status?.['databases']).toMatchObject([
      { name: 'guarded', state: 'Failed', message: expect.stringContaining('ALTER ROLE "reader" BYPASSRLS') },
      { name: 'payroll', state: 'Failed', message: expect.stringContaining('GRANT SELECT ON TABLE public.salaries') },
      { name: 'postgres', state: 'Stored' },
      { name: 'shop', state: 'Stored' },
    ]);
    await warned('DatabasesFailed', 'some');
    await warned('RolesWithoutPasswords', 'some');
    const policy = await scenario.condition('backuppolicy', 'whole-server', {
      type: 'LastBackupSucceeded',
      status: 'False',
      reason: 'DatabasesFailed',
    });
    expect(policy.status).not.toHaveProperty('lastSuccessfulRun');

    // It is no latest backup, and what it has comes back by its name.
    await scenario.apply(
      restoreRequest(namespace, 'latest', {
        source: { latest: { policyRef: { name: 'whole-server' }, method: 'Logical' } },
        databases: [{ name: 'shop', targetName: 'shop_latest' }],
      }),
      restoreRequest(namespace, 'by-name', {
        source: { backupRunRef: { name: 'some' } },
        databases: [{ name: 'shop', targetName: 'shop_again' }],
      }),
    );
    const version = await postgres.psql("select extversion from pg_extension where extname = 'pg_trgm'", 'shop');
    expect((await scenario.finished('restorerequest', 'by-name')).status).toMatchObject({
      phase: 'Completed',
      restored: { extensions: [{ database: 'shop_again', name: 'pg_trgm', version, sourceVersion: version }] },
    });
    expect(await postgres.psql('select count(*) from orders', 'shop_again')).toBe('40000');
    expect(conditions((await scenario.finished('restorerequest', 'latest')).status ?? {})).toEqual({
      Succeeded: 'False NoBackup',
      Stalled: 'True NoBackup',
    });
  });

  test('a backup that is much smaller than the one before is a success with a warning', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    const policyRef = { name: 'shop' };
    await scenario.apply(
      logicalPolicy(namespace, { logical: { format: 'Tar', databases: { include: ['shop'] } } }, 'shop'),
      backupRun(namespace, 'usual', { policyRef }),
    );
    const usual = await scenario.finished('backuprun', 'usual');
    expect(conditions(usual.status ?? {})).toEqual({ Succeeded: 'True BackupStored', GlobalsComplete: 'True Stored' });
    await postgres.psql('delete from orders where i > 10', 'shop');
    await scenario.apply(backupRun(namespace, 'small', { policyRef }));
    const small = await scenario.finished('backuprun', 'small');
    expect(small.status?.['phase']).toBe('Completed');
    expect(conditions(small.status ?? {})).toMatchObject({ SizeAsExpected: 'False SizeCollapsed' });
    await warned('SizeCollapsed', 'small');
  });

  test('what would be left undone in silence is refused when it is asked for', async () => {
    const { namespace, kubectl } = scenario;
    const refused = async (logical: object, words: RegExp) =>
      await expect(kubectl.apply([logicalPolicy(namespace, { logical }, 'refused')])).rejects.toThrow(words);
    await refused({ format: 'Custom', noOwner: true }, /format: Plain only/);
    await refused({ extraArgs: ['--enable-row-security'] }, /extraArgs may not set/);
    await refused({ format: 'Plain', create: true, content: 'DataOnly' }, /create makes the database anew/);
  });
});
