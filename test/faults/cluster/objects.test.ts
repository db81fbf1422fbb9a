import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bounded } from '../../support/faults.ts';
import type { Loose } from '../../support/tidemark/kubectl.ts';
import { createLocalOperator, type LocalOperator } from '../../support/tidemark/local-operator.ts';
import { lockTable } from '../../support/tidemark/lock-table.ts';
import { backupRun, logicalPolicy } from '../../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

/** What a cluster, or a person in it, does to the objects that a backup goes through. */
describe('a backup', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let operator: LocalOperator;

  beforeAll(async () => {
    scenario = await startScenario('objects');
    const { kubectl, kubeconfig, namespace } = scenario;
    postgres = await scenario.postgres();
    await postgres.psql('create table things as select generate_series(1, 7) as id');
    operator = await createLocalOperator({ kubectl, kubeconfig, namespace });
    await operator.start();
    const schedules = [{ name: 'yearly', cron: '0 0 1 1 *', method: 'Logical' }];
    const hasty = { jobTemplate: { backoffLimit: 0, activeDeadlineSeconds: 60 } };
    await scenario.apply(
      ...scenario.repositoryObjects(),
      logicalPolicy(namespace, { schedules }),
      logicalPolicy(namespace, hasty, 'hasty'),
    );
    await scenario.condition('backuppolicy', 'orders', { type: 'Ready', status: 'True' });
    await scenario.condition('backuppolicy', 'hasty', { type: 'Ready', status: 'True' });
  });
  afterAll(async () => {
    await operator?.close();
  });

  const jobsOf = (run: string) =>
    scenario.kubectl.list('jobs', scenario.namespace, `tidemark.dev/run=${run},tidemark.dev/action=backup`);
  const remove = (kind: string, name: string) =>
    scenario.kubectl.run(['delete', kind, name, '--timeout=60s'], { namespace: scenario.namespace });
  const begin = async (name: string) => {
    const lock = await lockTable(postgres, 'postgres', 'things');
    await scenario.apply(backupRun(scenario.namespace, name));
    await until('pg_dump to wait for the lock', async () => (await postgres.psql(waiting)) !== '0');
    const [job] = await jobsOf(name);
    return { lock, job: job?.metadata.name ?? '' };
  };
  const completes = async (name: string) => {
    const run = await scenario.finished('backuprun', name);
    expect(run.status).toMatchObject({ phase: 'Completed', error: '' });
    return run;
  };
  const pendingWith = (name: string, says: RegExp) =>
    scenario.kubectl.until({
      ...{ resource: 'backuprun', name, namespace: scenario.namespace, seconds: 60 },
      to: `to say ${says}`,
      fits: ({ status }: Loose) =>
        status?.phase === 'Pending' && says.test(status.conditions?.map(({ message }) => message).join() ?? ''),
    });

  test('whose Job a person deletes is cancelled, leaves nothing, and hinders no other', async () => {
    explainFailure(scenario);
    const { lock, job } = await begin('job-gone');
    await remove('job', job);
    const { status } = await scenario.finished('backuprun', 'job-gone');
    await lock.release();
    // Its agent was told to end, as a cancellation tells it.
    expect(status).toMatchObject({
      phase: 'Cancelled',
      conditions: [{ status: 'False', reason: 'Cancelled' }, { type: 'Stalled' }],
    });
    expect(status?.['repositories'] ?? []).not.toContainEqual(expect.objectContaining({ state: 'Stored' }));
    await scenario.apply(backupRun(scenario.namespace, 'after-job-gone'));
    await completes('after-job-gone');
  });

  test('gets its CronJob back when somebody deletes that', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const cronJobs = () => kubectl.list('cronjobs', namespace, 'tidemark.dev/policy=orders');
    const [before] = await cronJobs();
    await remove('cronjob', before?.metadata.name ?? '');
    await until('the CronJob to be there again', async () => {
      const [now] = await cronJobs();
      return (
        now !== undefined && now.metadata.name === before?.metadata.name && now.metadata.uid !== before.metadata.uid
      );
    });
  });

  test('whose Job and pod are removed by their TTL while no operator runs is known all the same', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const { lock, job } = await begin('outlived');
    await operator.kill();
    await kubectl.run(['patch', 'job', job, '-p', '{"spec":{"ttlSecondsAfterFinished":0}}'], { namespace });
    await lock.release();
    await until('the Job to be gone', async () => (await kubectl.get('job', job, namespace)) === undefined);
    await operator.start();
    const run = await completes('outlived');
    expect(run.status?.backupID).toMatch(/-logical/);
    expect(await jobsOf('outlived')).toEqual([]);
  });

  test('that runs while the operator is exchanged for one with another agent ends as it began', async () => {
    explainFailure(scenario);
    const { lock } = await begin('across');
    const [before] = await jobsOf('across');
    await operator.stop();
    await operator.start({ TIDEMARK_AGENT_IMAGE: absent });
    // The new one has looked at everything once.
    await scenario.apply(backupRun(scenario.namespace, 'queued', { policyRef: { name: 'hasty' } }));
    await until('the new operator to work', async () => (await jobsOf('queued')).length === 1);
    await lock.release();
    await completes('across');
    expect((await jobsOf('across')).map(({ metadata }) => metadata.uid)).toEqual([before?.metadata.uid]);
  });

  test('whose image cannot be pulled says so at once, and has failed when its time is over', async () => {
    explainFailure(scenario);
    // Made by the test before.
    const pending = await pendingWith('queued', /does not start/);
    expect(JSON.stringify(pending.status?.conditions)).toMatch(/ErrImagePull|ImagePullBackOff/);
    expect(JSON.stringify(pending.status?.conditions)).toContain(absent);
    // Its time is a minute, which is not waited for in npm test.
    if (bounded(0, 1) === 0) await remove('backuprun', 'queued');
    else {
      const { status } = await scenario.finished('backuprun', 'queued');
      expect(status).toMatchObject({
        phase: 'Failed',
        conditions: [{ reason: 'DeadlineExceeded' }, { type: 'Stalled' }],
      });
      expect(status?.error).toMatch(/did not start: .*absent/);
    }
    await operator.stop();
    await operator.start();
    await scenario.apply(backupRun(scenario.namespace, 'pulled', { policyRef: { name: 'hasty' } }));
    await completes('pulled');
  });

  const hindrances = {
    'a ResourceQuota of Jobs': [
      { apiVersion: 'v1', kind: 'ResourceQuota', spec: { hard: { 'count/jobs.batch': '0' } } },
      /exceeded quota/,
    ],
    'a ResourceQuota of pods': [
      { apiVersion: 'v1', kind: 'ResourceQuota', spec: { hard: { pods: '1' } } },
      /has made no pod yet.*quota/,
    ],
    'a LimitRange': [
      { apiVersion: 'v1', kind: 'LimitRange', spec: { limits: [{ type: 'Container', min: { memory: '64Gi' } }] } },
      /has made no pod yet.*policy/,
    ],
  } as const;
  const kinds = Object.keys(hindrances) as (keyof typeof hindrances)[];
  test.each(kinds.filter((_, index) => bounded(0, 1) === 1 || index !== 1))(
    'that %s forbids waits, says so, and is made when that is lifted',
    async (what) => {
      explainFailure(scenario);
      const { kubectl, namespace } = scenario;
      const [object, says] = hindrances[what];
      const name = `against-${object.kind.toLowerCase()}-${Object.keys(hindrances).indexOf(what)}`;
      await kubectl.apply([{ ...object, metadata: { name: 'tight', namespace } }]);
      if (object.kind === 'ResourceQuota')
        await until('the quota to count', async () => {
          const quota = await kubectl.get('resourcequota', 'tight', namespace);
          return quota?.status?.['hard'] !== undefined;
        });
      await scenario.apply(backupRun(namespace, name));
      await pendingWith(name, says);
      await remove(object.kind.toLowerCase(), 'tight');
      await completes(name);
      expect(await jobsOf(name)).toHaveLength(1);
    },
  );
});

const absent = 'localhost/tidemark/agent:absent';
const waiting =
  "select count(*) from pg_stat_activity where application_name = 'tidemark' and wait_event_type = 'Lock'";
