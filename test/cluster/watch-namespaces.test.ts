import { beforeAll, describe, expect, test } from 'vitest';
import { isAllowed, serviceAccountOf } from '../support/tidemark/access-review.ts';
import { installTidemark } from '../support/tidemark/install.ts';
import { backupRun, logicalPolicy } from '../support/tidemark/policy.ts';
import { startPortForward } from '../support/tidemark/port-forward.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

/** A second operator in a namespace of its own, beside the one that serves them all. */
describe('an operator that serves the namespaces of watchNamespaces alone', () => {
  const release = 'few';
  let home: Scenario;
  let watched: Scenario;
  let operator: string;

  beforeAll(async () => {
    [home, watched] = await Promise.all([startScenario('few'), startScenario('watched')]);
    operator = serviceAccountOf(home.namespace, `${release}-tidemark`);
    await installTidemark({
      ...home,
      log: () => undefined,
      values: [`watchNamespaces={${watched.namespace}}`, 'crds.enabled=false', 'operator.replicas=1'],
      as: { release, namespace: home.namespace },
    });
  });

  test('has rights there, and in no other namespace', async () => {
    const { kubectl } = home;
    const jobs = { verb: 'create', group: 'batch', resource: 'jobs' };
    expect(await isAllowed(kubectl, operator, { namespace: watched.namespace, ...jobs })).toBe(true);
    expect(await isAllowed(kubectl, operator, { namespace: home.namespace, ...jobs })).toBe(false);
    const policies = { verb: 'list', group: 'tidemark.dev', resource: 'backuppolicies' };
    expect(await isAllowed(kubectl, operator, { namespace: watched.namespace, ...policies })).toBe(true);
    expect(await isAllowed(kubectl, operator, policies)).toBe(false);
  });

  test('needs no ClusterRole', async () => {
    const selector = `app.kubernetes.io/instance=${release}`;
    expect(await home.kubectl.list('clusterroles,clusterrolebindings', undefined, selector)).toEqual([]);
    // The operator's, the agent's, and the one for commands in pods, which is bound to nobody.
    expect(await home.kubectl.list('roles', watched.namespace, selector)).toHaveLength(3);
  });

  test('knows the runs there, and of no other namespace', async () => {
    explainFailure(watched);
    await Promise.all([failOneRun(home), failOneRun(watched)]);
    const failureIn = ({ namespace }: Scenario) =>
      new RegExp(`^tidemark_last_failure_timestamp_seconds\\{[^}]*namespace="${namespace}"`, 'm');
    const metrics = await until('the run among the metrics', async () => {
      const text = await readMetrics();
      return failureIn(watched).test(text) && text;
    });
    expect(metrics).not.toMatch(failureIn(home));
  });

  /** The account exists in every namespace, and is not marked for Tidemark's Jobs: refused without a Job. */
  async function failOneRun({ namespace, apply, repositoryObjects, finished }: Scenario): Promise<void> {
    const source = { host: 'db.example.invalid', credentialsSecretRef: { name: 'nowhere' } };
    const policy = logicalPolicy(namespace, { source, jobTemplate: { serviceAccountName: 'default' } });
    await apply(...repositoryObjects(), policy, backupRun(namespace, 'refused'));
    expect((await finished('backuprun', 'refused')).status).toMatchObject({ phase: 'Failed' });
  }

  async function readMetrics(): Promise<string> {
    const forward = await startPortForward(home.kubectl, home.namespace, `service/${release}-tidemark`, 8080);
    try {
      const answer = await fetch(`http://127.0.0.1:${forward.port}/metrics`);
      return await answer.text();
    } finally {
      await forward.stop();
    }
  }
});
