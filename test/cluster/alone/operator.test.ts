import { beforeAll, describe, expect, test } from 'vitest';
import { operatorNamespace } from '../../support/tidemark/install.ts';
import { giveOperatorBack, takeOperatorAway } from '../../support/tidemark/installed-operator.ts';
import { logicalPolicy } from '../../support/tidemark/policy.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { loadShop } from '../../support/tidemark/shop.ts';
import { until } from '../../support/tidemark/until.ts';

/** These stop the one operator of the cluster, so they run when nothing else does. */
describe('the operator', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await startScenario('operator');
    const postgres = await scenario.postgres();
    await loadShop(postgres);
    const schedules = [{ name: 'yearly', cron: '0 0 1 1 *', method: 'Logical' }];
    await scenario.apply(...scenario.repositoryObjects(), logicalPolicy(scenario.namespace, { schedules }));
    await scenario.condition('backuppolicy', 'orders', { type: 'Ready', status: 'True' });
  });

  test.each(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'])(
    'has no right to %s Secrets, says the API server',
    async (verb) => {
      for (const scope of [
        ['--all-namespaces'],
        ['--namespace', scenario.namespace],
        ['--namespace', operatorNamespace],
      ]) {
        expect(await canI(verb, 'secrets', scope)).toBe('no');
      }
    },
  );

  test('may do what it must: the question above is not answered with no to everything', async () => {
    expect(await canI('create', 'jobs.batch', ['--namespace', scenario.namespace])).toBe('yes');
    expect(await canI('patch', 'backuppolicies.tidemark.dev/status', ['--namespace', scenario.namespace])).toBe('yes');
  });

  test.each([
    ['its agent recorded it', false],
    ['and of which no BackupRun is left', true],
  ])('records a scheduled Job that ran while the operator was down, %s', async (_, forgotten) => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const name = `while-down-${forgotten}`;
    const [cronJob] = await kubectl.list('cronjobs', namespace, 'tidemark.dev/policy=orders');
    await takeOperatorAway(kubectl);
    try {
      await kubectl.run(['create', 'job', name, `--from=cronjob/${cronJob?.metadata.name}`], { namespace });
      await until(
        'the Job to complete without an operator',
        async () => (await kubectl.get('job', name, namespace))?.status?.succeeded === 1,
      );
      expect(await kubectl.get('backuprun', name, namespace)).toBeDefined();
      if (forgotten) await kubectl.run(['delete', 'backuprun', name], { namespace });
    } finally {
      await giveOperatorBack(kubectl);
    }
    const run = await scenario.finished('backuprun', name);
    expect(run.status).toMatchObject({ phase: 'Completed', repositories: [{ state: 'Stored' }] });
    expect(run.status?.backupID).toMatch(/-logical/);
  });

  test('goes on where it was when the leader dies', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const holder = async () => {
      const [lease] = await kubectl.list<{ spec: { holderIdentity?: string } }>('leases', operatorNamespace);
      return lease?.spec.holderIdentity;
    };
    const first = await until('a leader', holder);
    const pod = (await kubectl.list('pods', operatorNamespace)).find(({ metadata }) => first.includes(metadata.name));
    await kubectl.run(['delete', 'pod', pod?.metadata.name ?? '', '--grace-period=0', '--force'], {
      namespace: operatorNamespace,
    });
    await until('another leader', async () => {
      const now = await holder();
      return now !== undefined && now !== '' && now !== first;
    });
    await scenario.apply(logicalPolicy(namespace, {}, 'after-the-leader'));
    await scenario.condition('backuppolicy', 'after-the-leader', { type: 'Ready', status: 'True' }, 60);
  });

  async function canI(verb: string, resource: string, scope: readonly string[]): Promise<string> {
    const [deployment] = await scenario.kubectl.list<{ spec: { template: { spec: { serviceAccountName: string } } } }>(
      'deployments',
      operatorNamespace,
    );
    const account = `system:serviceaccount:${operatorNamespace}:${deployment?.spec.template.spec.serviceAccountName}`;
    const [name = '', subresource] = resource.split('/');
    const parts = subresource === undefined ? [name] : [name, `--subresource=${subresource}`];
    // `auth can-i` exits 1 with the answer "no".
    return await scenario.kubectl
      .run(['auth', 'can-i', verb, ...parts, `--as=${account}`, ...scope])
      .catch((error: { stdout?: string }) => error.stdout ?? String(error));
  }
});
