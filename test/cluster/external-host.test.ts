import { beforeAll, describe, expect, test } from 'vitest';
import { listKeys } from '../support/tidemark/bucket.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { fingerprint } from '../support/tidemark/shop.ts';

describe('a server by its host name, and a role that owns one database and nothing else', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let server: object;

  beforeAll(async () => {
    scenario = await startScenario('external');
    postgres = await scenario.postgres();
    await postgres.psql(`
      create role app login password 'app-password';
      create database app owner app;
      create database app_copy owner app;`);
    await postgres.psql(
      `set role app;
       create table public.orders (id bigint primary key, note text);
       insert into public.orders select n, repeat('n', n % 50) from generate_series(1, 5000) n;`,
      'app',
    );
    server = { host: `orders-db.${scenario.namespace}.svc`, port: 5432, credentialsSecretRef: { name: 'app' } };
    await scenario.apply(
      secret('app', 'app-password'),
      ...scenario.repositoryObjects(),
      policy('app'),
      backupRun(scenario.namespace, 'app', { policyRef: { name: 'app' } }),
    );
  });

  test('the backup is whole, and says that it holds the roles without their passwords', async () => {
    explainFailure(scenario);
    const { status } = await scenario.finished('backuprun', 'app');
    expect(status).toMatchObject({ phase: 'Completed', databases: [{ name: 'app' }] });
    expect(status?.conditions?.[0]?.message).toMatch(/roles without passwords/);
  });

  test('the same role restores it into a database of its own with noOwner', async () => {
    explainFailure(scenario);
    await scenario.apply(
      restoreRequest(scenario.namespace, 'app', {
        source: { backupRunRef: { name: 'app' } },
        target: { server },
        databases: [{ name: 'app', targetName: 'app_copy', create: false }],
        noOwner: true,
      }),
    );
    expect((await scenario.finished('restorerequest', 'app')).status).toMatchObject({
      phase: 'Completed',
      restored: { errors: 0 },
    });
    expect(await fingerprint(postgres, 'app_copy')).toEqual(await fingerprint(postgres, 'app'));
    expect(await postgres.psql("select tableowner from pg_tables where tablename = 'orders'", 'app_copy')).toBe('app');
  });

  test('it is restored into a server of another namespace, whose password is known here', async () => {
    const elsewhere = await startScenario('elsewhere');
    explainFailure(scenario);
    const there = await elsewhere.postgres();
    const credentials = { name: 'elsewhere' };
    await scenario.apply(
      secret('elsewhere', there.password, 'postgres'),
      restoreRequest(scenario.namespace, 'elsewhere', {
        source: { backupRunRef: { name: 'app' } },
        target: { server: { host: `orders-db.${elsewhere.namespace}.svc`, credentialsSecretRef: credentials } },
        databases: [{ name: 'app', targetName: 'app_from_afar' }],
        noOwner: true,
        noPrivileges: true,
      }),
    );
    expect((await scenario.finished('restorerequest', 'elsewhere')).status).toMatchObject({
      phase: 'Completed',
      restored: { errors: 0 },
    });
    expect(await fingerprint(there, 'app_from_afar')).toEqual(await fingerprint(postgres, 'app'));
  });

  test('a table that it may not read fails the backup with the name of the table, and nothing is stored', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await postgres.psql('create table public.payroll (salary numeric)', 'app');
    await scenario.apply(
      policy('unreadable'),
      backupRun(namespace, 'unreadable', { policyRef: { name: 'unreadable' } }),
    );
    const { status } = await scenario.finished('backuprun', 'unreadable');
    expect(status).toMatchObject({
      phase: 'Failed',
      conditions: [{ type: 'Succeeded', status: 'False', reason: 'PermissionDenied' }, { type: 'Stalled' }],
    });
    expect(status?.error).toContain('payroll');
    expect(await listKeys(scenario, `test/${namespace}/unreadable/`)).toEqual([]);
  });

  test('a large object that pg_read_all_data does not cover fails the backup and says which one', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await postgres.psql("create role reader login password 'reader-password' in role pg_read_all_data");
    await postgres.psql('create database archive');
    await postgres.psql("select lo_from_bytea(424242, 'a scan')", 'archive');
    const source = { ...server, credentialsSecretRef: { name: 'reader' } };
    await scenario.apply(
      secret('reader', 'reader-password'),
      logicalPolicy(namespace, { source, logical: { databases: { include: ['archive'] } } }, 'archive'),
      backupRun(namespace, 'archive', { policyRef: { name: 'archive' } }),
    );
    const { status } = await scenario.finished('backuprun', 'archive');
    expect(status).toMatchObject({
      phase: 'Failed',
      conditions: [{ type: 'Succeeded', status: 'False', reason: 'PermissionDenied' }, { type: 'Stalled' }],
    });
    expect(status?.error).toContain('424242');
  });

  function secret(name: string, password: string, username = name): object {
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: scenario.namespace },
      type: 'kubernetes.io/basic-auth',
      stringData: { username, password },
    };
  }

  function policy(name: string): object {
    return logicalPolicy(
      scenario.namespace,
      { source: server, logical: { databases: { include: ['app'] }, format: 'Custom' } },
      name,
    );
  }
});
