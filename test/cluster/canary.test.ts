import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Loose } from '../support/tidemark/kubectl.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';

const canary = (name: string) => `canary-${name}-${randomBytes(9).toString('hex')}`;

/**
 * A whole run in a namespace: a schedule's policy with WAL by streaming, a backup of each method, a restore, a recovery that
 * goes again. Then everything that the cluster can be asked for is searched for what stands in Secrets alone.
 */
describe('a secret is nowhere in a namespace but in its Secret, after', () => {
  let scenario: Scenario;
  const password = canary('password');
  let needles: readonly string[];

  beforeAll(async () => {
    scenario = await startScenario('canary');
    const { namespace } = scenario;
    const postgres = await scenario.postgres({ password });
    await postgres.psql('create database shop');
    await postgres.psql('create table t as select generate_series(1, 100) as id', 'shop');
    needles = [password, scenario.s3.secretKey];
    await scenario.apply(
      ...scenario.repositoryObjects(),
      logicalPolicy(namespace, { walArchiving: { mode: 'Stream' } }),
      backupRun(namespace, 'dump'),
    );
    await ended('backuprun', 'dump', 'Completed');
    await scenario.apply(backupRun(namespace, 'base', { method: 'Physical' }));
    await ended('backuprun', 'base', 'Completed');
    await scenario.apply(
      restoreRequest(namespace, 'back', {
        source: { backupRunRef: { name: 'dump' } },
        databases: [{ name: 'shop', targetName: 'shop_again' }],
      }),
      {
        apiVersion: 'tidemark.dev/v1alpha1',
        kind: 'PitrRecovery',
        metadata: { name: 'drill', namespace },
        spec: {
          source: { policyRef: { name: 'orders' } },
          recoveryTarget: { targetImmediate: true },
          target: { ephemeral: {} },
        },
      },
    );
    await ended('restorerequest', 'back', 'Completed');
    await ended('pitrrecovery', 'drill', 'Completed');
  }, 600_000);

  test('all of it, in every object but Secrets: specs, status, events, Jobs, pods and who wrote which field', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const resources = await kubectl.run(['api-resources', '--verbs=list', '--namespaced', '-o', 'name']);
    const kinds = resources.split('\n').filter((name) => name !== '' && name !== 'secrets');
    const objects = await kubectl.run(['get', kinds.join(','), '-o', 'yaml', '--show-managed-fields'], { namespace });
    // What the search is worth: it finds what is there for all to see.
    expect(objects).toContain(scenario.s3.endpoint);
    requireClean(objects, 'an object');
  });

  test('all of it, in every log: agents, the watcher, the recovered server, the operator', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const pods = await agentPods();
    expect(pods.length).toBeGreaterThanOrEqual(3);
    for (const { metadata } of pods)
      requireClean(
        await kubectl.run(['logs', metadata.name, '--all-containers', '--timestamps'], { namespace }),
        `the log of ${metadata.name}`,
      );
    const operator = ['logs', '--selector', 'app.kubernetes.io/name=tidemark', '--tail', '-1', '--prefix'];
    requireClean(await kubectl.run(operator, { namespace: 'tidemark-system' }), "the operator's log");
  });

  test('all of it, in the environment and the arguments of a pod: they name Secrets', async () => {
    for (const { metadata, spec } of await agentPods()) {
      const { containers = [] } = (spec ?? {}) as { readonly containers?: readonly object[] };
      for (const container of containers) {
        expect(JSON.stringify(container), metadata.name).not.toMatch(/secretKeyRef|secretRef/);
        requireClean(JSON.stringify(container), metadata.name);
      }
    }
  });

  test('all of it, in what the operator tells of itself', async () => {
    const { kubectl } = scenario;
    const path = '/api/v1/namespaces/tidemark-system/services/http:tidemark:8080/proxy/metrics';
    requireClean(await kubectl.run(['get', '--raw', path]).catch(() => ''), 'the metrics');
  });

  async function ended(resource: string, name: string, phase: string): Promise<void> {
    const { status } = await scenario.finished(resource, name, 300);
    expect(status, `${resource} ${name}`).toMatchObject({ phase });
  }

  async function agentPods(): Promise<readonly Loose[]> {
    return await scenario.kubectl.list('pods', scenario.namespace, 'app.kubernetes.io/managed-by=tidemark');
  }

  function requireClean(text: string, where: string): void {
    for (const needle of needles) {
      expect(text.includes(needle), where).toBe(false);
      expect(text.includes(Buffer.from(needle).toString('base64')), `${where}, in base64`).toBe(false);
    }
  }
});
