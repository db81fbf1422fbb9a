import { expect, test } from 'vitest';
import { jobTemplate } from '../../../../src/api/job-template.ts';
import { buildJob } from '../../../../src/controllers/jobs/build-job.ts';
import { withServer } from '../../../../src/controllers/pitr-recovery/build-recovery-job.ts';
import { placeLike } from '../../../../src/controllers/pitr-recovery/place.ts';
import { recoverTask } from '../../../../src/controllers/pitr-recovery/tasks.ts';
import { isRefusal } from '../../../../src/controllers/refusal.ts';
import { agent, recovery } from '../objects.ts';
import { plan, server, surroundings } from './things.ts';

const place = placeLike(server(), plan.dataDirectory);

function pod(like: typeof surroundings.server | null = server(), object = recovery(), template: object = {}) {
  const job = buildJob({
    task: recoverTask(object, surroundings, plan, place),
    template: jobTemplate.parse(template),
    agent,
    labels: {},
  });
  if (isRefusal(job)) throw new Error(job.message);
  const built = withServer(job, {
    image: 'postgres:17',
    server: like ?? undefined,
    place,
    volume: { persistentVolumeClaim: { claimName: 'data-copy-0' } },
    owner: { uid: 999, gid: 998 },
  });
  return built.spec as { readonly podFailurePolicy: object; readonly template: { readonly spec: Pod } };
}
interface Pod {
  readonly containers: readonly Readonly<Record<string, unknown>>[];
  readonly [field: string]: unknown;
}

test('the agent and the source’s own server share the data at its path, and a place to talk', () => {
  const { containers, volumes } = pod().template.spec;
  expect(containers.map(({ name }) => name)).toEqual(['agent', 'postgres']);
  for (const container of containers)
    expect(container['volumeMounts']).toEqual(
      expect.arrayContaining([
        { name: 'recovered-data', mountPath: '/var/lib/postgresql/data' },
        { name: 'recovery', mountPath: '/var/run/tidemark/recovery' },
      ]),
    );
  expect(volumes).toEqual(
    expect.arrayContaining([{ name: 'recovered-data', persistentVolumeClaim: { claimName: 'data-copy-0' } }]),
  );
});

test('both run as the owner of the data, restricted', () => {
  const { spec } = pod().template;
  expect(spec['securityContext']).toMatchObject({
    runAsNonRoot: true,
    runAsUser: 999,
    runAsGroup: 998,
    fsGroup: 998,
    seccompProfile: { type: 'RuntimeDefault' },
  });
  for (const { securityContext } of spec.containers)
    expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
  expect(pod().podFailurePolicy).toMatchObject({ rules: [{}, { onExitCodes: { containerName: 'agent' } }] });
});

test('the server’s container has what configures it, and none of its secrets’ names in its environment', () => {
  const [, postgres] = pod().template.spec.containers;
  expect(postgres).toMatchObject({
    image: 'postgres:17',
    env: [{ name: 'PGDATA', value: '/var/lib/postgresql/data/pgdata' }],
    resources: { limits: { memory: '1Gi' } },
  });
  expect(postgres?.['volumeMounts']).toEqual(
    expect.arrayContaining([{ name: 'source-config', mountPath: '/etc/postgresql' }]),
  );
  expect(JSON.stringify(postgres)).not.toMatch(/tidemark-wal|kube-api-access|source-archive/);
});

test('a server that nothing is known of runs too', () => {
  const { spec } = pod(null).template;
  expect(spec.containers).toHaveLength(2);
});

test('the pod may go where the source’s may, or where the policy says', () => {
  expect(pod().template.spec['nodeSelector']).toEqual({ disk: 'fast' });
  expect(pod().template.spec['imagePullSecrets']).toEqual([{ name: 'pull' }]);
  expect(pod(server(), recovery(), { nodeSelector: { a: 'b' } }).template.spec['nodeSelector']).toEqual({ a: 'b' });
});

test('a standby’s login and the server that is extracted into are mounted', () => {
  const standbyOf = { host: 'primary.example', credentialsSecretRef: { name: 'replication' } };
  const standby = recovery({ spec: { target: { instance: { name: 'copy', storage: { size: '1Gi' }, standbyOf } } } });
  expect(recoverTask(standby, surroundings, plan, place)).toMatchObject({
    standbyOf: { host: 'primary.example', port: 5432, credentialsSecretName: 'replication' },
  });
  expect(JSON.stringify(pod(server(), standby).template.spec)).toContain('/var/run/tidemark/standby/credentials');
  const into = { host: 'live.example', credentialsSecretRef: { name: 'live' } };
  const extract = recovery({ spec: { target: { ephemeral: {} }, extract: { databases: [{ name: 'shop' }], into } } });
  const names = (pod(server(), extract).template.spec['volumes'] as readonly { readonly name: string }[]).map(
    ({ name }) => name,
  );
  expect(names).toEqual(expect.arrayContaining(['server-credentials', 'scratch']));
});

test('in place, the old data directory is kept beside the new one under the recovery’s name', () => {
  const target = {
    inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db', keepOldData: false },
  };
  expect(recoverTask(recovery({ spec: { target } }), surroundings, plan, place).place).toEqual({
    dataDirectory: '/var/lib/postgresql/data/pgdata',
    oldDataDirectory: 'pgdata.before-before',
    keepOldData: false,
  });
});
