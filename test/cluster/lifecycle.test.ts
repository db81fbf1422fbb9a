import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import { backupRun, logicalPolicy } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { loadShop } from '../support/tidemark/shop.ts';
import { until } from '../support/tidemark/until.ts';

describe('the life of a run', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;

  beforeAll(async () => {
    scenario = await startScenario('life');
    postgres = await scenario.postgres();
    await loadShop(postgres);
    const jobTemplate = { backoffLimit: 2 };
    await scenario.apply(...scenario.repositoryObjects(), logicalPolicy(scenario.namespace, { jobTemplate }));
    await scenario.condition('backuppolicy', 'orders', { type: 'Ready', status: 'True' });
  });

  test('cancel stops a running backup, and nothing of it stays', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const lock = await lockCustomers();
    await scenario.apply(backupRun(namespace, 'cancelled'));
    await dumpIsWaiting();
    await kubectl.run(['patch', 'backuprun', 'cancelled', '--type=merge', '-p', '{"spec":{"cancel":true}}'], {
      namespace,
    });
    const run = await scenario.finished('backuprun', 'cancelled');
    await lock.release();
    expect(run.status).toMatchObject({
      phase: 'Cancelled',
      conditions: [{ type: 'Succeeded', status: 'False', reason: 'Cancelled' }, { type: 'Stalled' }],
    });
    expect(await stored('orders')).toEqual({ keys: [], uploads: 0 });
    await until(
      'the pod to be gone',
      async () => (await kubectl.list('pods', namespace, 'tidemark.dev/run=cancelled')).length === 0,
    );
  });

  test('a backup whose pod is killed half-way is made again by the same run, and what the first try left is swept', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const lock = await lockCustomers();
    await scenario.apply(backupRun(namespace, 'killed'));
    await dumpIsWaiting();
    await kubectl.run(['delete', 'pods', '--selector', 'tidemark.dev/run=killed', '--grace-period=0', '--force'], {
      namespace,
    });
    await lock.release();
    const run = await scenario.finished('backuprun', 'killed', 240);
    expect(run.status).toMatchObject({ phase: 'Completed' });
    const { keys, uploads } = await stored('orders');
    expect(keys.filter((key) => !key.includes(`/backups/${run.status?.backupID}/`))).toEqual([]);
    expect(uploads).toBe(0);
    await kubectl.run(['delete', 'backuprun', 'killed'], { namespace });
  });

  test('a second run of the same policy waits for the first', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    const lock = await lockCustomers();
    await scenario.apply(backupRun(namespace, 'first'));
    await dumpIsWaiting();
    await scenario.apply(backupRun(namespace, 'second'));
    const second = await scenario.condition('backuprun', 'second', {
      type: 'Succeeded',
      status: 'Unknown',
      reason: 'Queued',
    });
    expect(JSON.stringify(second.status?.conditions)).toContain('first');
    await lock.release();
    expect((await scenario.finished('backuprun', 'first')).status?.phase).toBe('Completed');
    expect((await scenario.finished('backuprun', 'second')).status?.phase).toBe('Completed');
  });

  test('deletionPolicy Delete removes the stored backup with its object; Retain leaves it', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await scenario.apply(logicalPolicy(namespace, {}, 'deleted'));
    for (const deletionPolicy of ['Retain', 'Delete']) {
      const name = `deleted-${deletionPolicy.toLowerCase()}`;
      await scenario.apply(backupRun(namespace, name, { policyRef: { name: 'deleted' }, deletionPolicy }));
      expect((await scenario.finished('backuprun', name)).status?.phase).toBe('Completed');
    }
    const backups = async () =>
      new Set((await stored('deleted')).keys.map((key) => /backups\/([^/]+)\//.exec(key)?.[1]));
    expect((await backups()).size).toBe(2);
    await kubectl.run(['delete', 'backuprun', 'deleted-delete', 'deleted-retain', '--timeout=90s'], { namespace });
    expect((await backups()).size).toBe(1);
  });

  /** Holds a lock that pg_dump must wait for, so that a backup is surely running for as long as the test wants. */
  async function lockCustomers(): Promise<{ release(): Promise<void> }> {
    const session = postgres
      .psql(
        "set application_name = 'the lock'; begin; lock table shop.customers in access exclusive mode; select pg_sleep(600)",
        'shop',
      )
      .catch(() => '');
    await until(
      'the lock to be held',
      async () =>
        (await postgres.psql(
          "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and relation is not null and database <> 0 and pid in (select pid from pg_stat_activity where application_name = 'the lock')",
        )) !== '0',
    );
    return {
      release: async () => {
        await postgres.psql(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'the lock'",
        );
        await session;
      },
    };
  }

  async function dumpIsWaiting(): Promise<void> {
    await until(
      'pg_dump to wait for the lock',
      async () =>
        (await postgres.psql(
          "select count(*) from pg_stat_activity where application_name = 'tidemark' and wait_event_type = 'Lock'",
        )) !== '0',
    );
  }

  async function stored(policy: string): Promise<{ readonly keys: readonly string[]; readonly uploads: number }> {
    const { client, close } = await scenario.s3.connect();
    try {
      const where = { Bucket: scenario.bucket, Prefix: `test/${scenario.namespace}/${policy}/` };
      const { Contents = [] } = await client.send(new ListObjectsV2Command(where));
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand(where));
      return { keys: Contents.map(({ Key = '' }) => Key), uploads: Uploads.length };
    } finally {
      await close();
    }
  }
});
