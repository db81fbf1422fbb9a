import { beforeAll, describe, expect, test } from 'vitest';
import { lockTable } from '../support/tidemark/lock-table.ts';
import { backupRun, logicalPolicy } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

describe('a backup that runs', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;

  beforeAll(async () => {
    scenario = await startScenario('progress');
    postgres = await scenario.postgres();
    await postgres.psql('create database shop');
    await postgres.psql('create table public.orders as select generate_series(1, 1000) as id', 'shop');
    await scenario.apply(
      ...scenario.repositoryObjects(),
      logicalPolicy(scenario.namespace, { logical: { databases: { include: ['shop'] } } }),
    );
  });

  test('shows phase, server and the database it is at, and at its end that it is stored', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const lock = await lockTable(postgres, 'shop', 'public.orders');
    await scenario.apply(backupRun(namespace, 'watched'));
    const running = await until('the run to show its progress', async () => {
      const run = await kubectl.get('backuprun', 'watched', namespace);
      const { step = '' } = (run?.status?.['progress'] ?? {}) as { step?: string };
      return run?.status?.phase === 'Running' && step.startsWith('dumping shop') && run;
    });
    expect(running.status).toMatchObject({
      progress: { step: expect.stringContaining('shop') },
      server: { role: 'Primary' },
      repositories: [{ name: 'offsite', state: 'Pending' }],
      backupID: expect.stringMatching(/-logical$/),
    });
    const table = await kubectl.run(['get', 'backuprun', 'watched'], { namespace });
    expect(table).toContain('Running');
    await lock.release();
    expect((await scenario.finished('backuprun', 'watched')).status).toMatchObject({
      phase: 'Completed',
      progress: { step: 'stored', percent: 100 },
      backupID: running.status?.backupID,
    });
  });
});
