import { beforeAll, describe, expect, test } from 'vitest';
import { isAllowed, serviceAccountOf } from '../support/tidemark/access-review.ts';
import type { Loose } from '../support/tidemark/kubectl.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { s3Repository } from '../support/tidemark/scenario-objects.ts';

/** Values that stand nowhere but in a Secret: whoever prints them gives a secret away. */
const password = 'canary-password-9hT2vXq7';
const wrongPassword = 'canary-wrong-password-5kLm8Rz1';
const wrongS3Key = 'canary-wrong-s3-key-3pWd6Yb0';

describe('Tidemark may do no more than it must, and gives no secret away', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await startScenario('least');
    const { namespace, s3, bucket } = scenario;
    const source = { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, credentialsSecretRef: { name: 'wrong' } };
    const postgres = await scenario.postgres({ password });
    await postgres.psql('create database shop');
    await postgres.psql('create table public.orders as select generate_series(1, 100) as id', 'shop');
    await scenario.apply(
      ...scenario.repositoryObjects(),
      secret('wrong', { username: 'postgres', password: wrongPassword }),
      secret('refusing-s3', { AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: wrongS3Key }),
      s3Repository(namespace, 'refusing', s3.endpoint, bucket),
      logicalPolicy(namespace),
      logicalPolicy(namespace, { source }, 'wrong-password'),
      logicalPolicy(namespace, { repositoryRefs: [{ name: 'refusing' }] }, 'wrong-key'),
      backupRun(namespace, 'good'),
      ...['wrong-password', 'wrong-key'].map((name) => backupRun(namespace, name, { policyRef: { name } })),
    );
    await finished('backuprun', 'good', 'Completed');
    await finished('backuprun', 'wrong-password', 'Failed');
    await finished('backuprun', 'wrong-key', 'Failed');
    await scenario.apply(
      restoreRequest(namespace, 'good', {
        source: { backupRunRef: { name: 'good' } },
        databases: [{ name: 'shop', targetName: 'shop_again' }],
      }),
    );
    await finished('restorerequest', 'good', 'Completed');
  });

  test("the agents' pods ran in a namespace that enforces the restricted Pod Security Standard", async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const found = await kubectl.get('namespace', namespace);
    expect(found?.metadata).toMatchObject({ labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } });
    const succeeded = (await agentPods()).filter(({ status }) => status?.phase === 'Succeeded');
    expect(succeeded.length).toBeGreaterThanOrEqual(2);
    for (const { spec } of succeeded) {
      expect(spec).toMatchObject({
        serviceAccountName: 'tidemark-agent',
        securityContext: { runAsNonRoot: true },
        containers: [{ securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } } }],
      });
    }
  });

  test.each([
    { verb: 'get', resource: 'secrets' },
    { verb: 'list', resource: 'secrets' },
    { verb: 'get', resource: 'configmaps' },
    { verb: 'get', resource: 'pods' },
    { verb: 'create', resource: 'pods' },
    { verb: 'create', resource: 'pods', subresource: 'exec' },
    { verb: 'create', group: 'batch', resource: 'jobs' },
    { verb: 'delete', group: 'tidemark.dev', resource: 'backupruns' },
    { verb: 'patch', group: 'tidemark.dev', resource: 'backupruns' },
    { verb: 'patch', group: 'tidemark.dev', resource: 'backuppolicies' },
  ])('an agent may not: %j', async (attributes) => {
    const { namespace } = scenario;
    expect(await agentMay({ namespace, ...attributes })).toBe(false);
  });

  test('an agent may write the status of what it works for, in its own namespace and no other', async () => {
    const { namespace } = scenario;
    const status = { verb: 'patch', group: 'tidemark.dev', resource: 'backupruns', subresource: 'status' };
    expect(await agentMay({ namespace, ...status })).toBe(true);
    expect(await agentMay({ namespace: 'default', ...status })).toBe(false);
    expect(await agentMay({ namespace: 'default', verb: 'get', resource: 'secrets' })).toBe(false);
  });

  test('no secret value stands in any object, event or log', async () => {
    explainFailure(scenario);
    const told = await everythingTold();
    // What the search is worth: it finds what is there for all to see.
    expect(told).toContain(scenario.s3.endpoint);
    for (const value of [password, wrongPassword, wrongS3Key, scenario.s3.secretKey]) {
      expect(told.includes(value), value).toBe(false);
      expect(told.includes(Buffer.from(value).toString('base64')), `${value} in base64`).toBe(false);
    }
  });

  test('a policy cannot borrow a ServiceAccount that is not marked for it', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'somebody', namespace } },
      logicalPolicy(namespace, { jobTemplate: { serviceAccountName: 'somebody' } }, 'borrower'),
    );
    const policy = await scenario.condition('backuppolicy', 'borrower', {
      type: 'Ready',
      status: 'False',
      reason: 'ServiceAccountNotAllowed',
    });
    expect(JSON.stringify(policy.status?.conditions)).toContain('tidemark.dev/agent=true');
  });

  function secret(name: string, stringData: Readonly<Record<string, string>>): object {
    return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: scenario.namespace }, stringData };
  }

  async function finished(resource: string, name: string, phase: string): Promise<void> {
    expect((await scenario.finished(resource, name)).status).toMatchObject({ phase });
  }

  async function agentPods(): Promise<readonly Loose[]> {
    return await scenario.kubectl.list('pods', scenario.namespace, 'app.kubernetes.io/managed-by=tidemark');
  }

  async function agentMay(resourceAttributes: Readonly<Record<string, string>>): Promise<boolean> {
    return await isAllowed(
      scenario.kubectl,
      serviceAccountOf(scenario.namespace, 'tidemark-agent'),
      resourceAttributes,
    );
  }

  /** All objects of the namespace but Secrets, of whatever kind the cluster has, and the logs of agents and operator. */
  async function everythingTold(): Promise<string> {
    const { kubectl, namespace } = scenario;
    const resources = await kubectl.run(['api-resources', '--verbs=list', '--namespaced', '-o', 'name']);
    const kinds = resources.split('\n').filter((name) => name !== '' && name !== 'secrets');
    const objects = await kubectl.run(['get', kinds.join(','), '-o', 'yaml', '--show-managed-fields'], { namespace });
    const operatorLog = await kubectl.run(
      ['logs', '--selector', 'app.kubernetes.io/name=tidemark', '--tail', '-1', '--prefix'],
      { namespace: 'tidemark-system' },
    );
    const agentLogs = await Promise.all(
      (await agentPods()).map(({ metadata }) =>
        kubectl.run(['logs', metadata.name, '--all-containers'], { namespace }),
      ),
    );
    expect(operatorLog).not.toBe('');
    expect(agentLogs.every((log) => log !== '')).toBe(true);
    return [objects, operatorLog, ...agentLogs].join('\n');
  }
});
