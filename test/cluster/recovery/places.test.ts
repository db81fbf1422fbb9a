import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { postgresObjects } from '../../support/tidemark/postgres-workload.ts';
import { backUpWhole, serverIn, untilReady } from '../../support/tidemark/recovered-server.ts';
import { pitrRecovery } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

const password = 'the-same-on-every-one';
const notes = "select string_agg(what, ', ' order by what) from notes";
const space = "select said, pg_tablespace_location(t.oid) from warm, pg_tablespace t where spcname = 'warm'";

/** Where a data directory may lie: each of these is backed up, recovered into a new instance, and in place. */
describe('a server', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await startScenario('places');
  });

  const recovered = async (name: string, target: object, backupID: string) => {
    await scenario.apply(
      pitrRecovery(scenario.namespace, name, { recoveryTarget: { targetImmediate: true, backupID }, target }),
    );
    const recovery = await scenario.finished('pitrrecovery', name, 240);
    expect(recovery.status).toMatchObject({ phase: 'Completed', error: '' });
    return recovery;
  };

  test('whose volume is the data directory itself, with a tablespace on a volume of its own', async () => {
    explainFailure(scenario);
    const postgres = await startOdd(scenario);
    await postgres.psql("create tablespace warm location '/spaces/warm'");
    await postgres.psql("create table warm (said text) tablespace warm; insert into warm values ('in the backup')");
    const backupID = await backUpWhole(scenario);
    await postgres.psql("update warm set said = 'after the backup'");

    await recovered('beside', { instance: { name: 'orders-beside', storage: { size: '2Gi' } } }, backupID);
    const beside = serverIn(scenario, postgres, 'orders-beside');
    await untilReady(scenario, 'orders-beside');
    expect(await beside.psql(space)).toMatch(/^in the backup\|\/var\/lib\/postgresql\/data\/tablespaces-[^/]+\/\d+$/);
    await beside.psql("insert into warm select 'more' from generate_series(1, 1000); checkpoint; drop table warm");

    const inPlace = { inPlace: { workloadRef: { kind: 'StatefulSet', name: 'orders-db' }, confirm: 'orders-db' } };
    await recovered('back', inPlace, backupID);
    await untilReady(scenario, 'orders-db');
    expect(await postgres.psql(space)).toMatch(/^in the backup\|\/var\/lib\/postgresql\/data\/tablespaces-/);
    expect(await postgres.exec(['ls', '/var/lib/postgresql/data/data.before-back'])).toContain('PG_VERSION');
    await postgres.psql("insert into warm values ('goes on'); checkpoint");
  });

  test('of a Deployment, in place, with the earlier data kept beside', async () => {
    explainFailure(scenario);
    const own = await startScenario('deployed');
    explainFailure(own);
    const { namespace, images } = own;
    await own.apply(...deployment(namespace, images['postgres-17'] ?? ''));
    await untilReady(own, 'orders-db', 'deployment');
    const postgres = serverIn(own, { password }, 'deployment/orders-db');
    await postgres.psql("create table notes (what text); insert into notes values ('in the backup')");
    const workloadRef = { kind: 'Deployment', name: 'orders-db' };
    const backupID = await backUpWhole(own, {
      source: { workloadRef, credentialsSecretRef: { name: 'orders-db' } },
    });
    await postgres.psql("insert into notes values ('later')");
    await own.apply(
      pitrRecovery(namespace, 'back', {
        recoveryTarget: { targetImmediate: true, backupID },
        target: { inPlace: { workloadRef, confirm: 'orders-db' } },
      }),
    );
    const recovery = await own.finished('pitrrecovery', 'back', 240);
    expect(recovery.status).toMatchObject({ phase: 'Completed', error: '', replicas: 1, reached: { timeline: 2 } });
    await untilReady(own, 'orders-db', 'deployment');
    expect(await postgres.psql(notes)).toBe('in the backup');

    expect((await postgres.exec(['ls', '-A', '/var/lib/postgresql/data'])).split('\n')).toEqual([
      'pgdata',
      'pgdata.before-back',
    ]);
  });
});

const unprivileged = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
const environment = (name: string, dataDirectory: string) => [
  { name: 'POSTGRES_PASSWORD', valueFrom: { secretKeyRef: { name, key: 'password' } } },
  { name: 'PGDATA', value: dataDirectory },
];

/** An init container makes the cluster in a folder of the volume, and the server has that folder for its data directory. */
async function startOdd(scenario: Scenario): Promise<PostgresWorkload> {
  const { namespace, images, kubectl } = scenario;
  const name = 'orders-db';
  const image = images['postgres-17'] ?? '';
  const [secret, service, set] = postgresObjects({ namespace, name, image, password }) as readonly Made[];
  const template = set?.spec?.template;
  const [container] = template?.spec.containers ?? [];
  if (secret === undefined || service === undefined || set === undefined || template === undefined) throw new Error();
  const prepare = {
    name: 'prepare',
    image,
    env: environment(name, '/volume/database'),
    command: ['sh', '-c', prepareScript],
    securityContext: unprivileged,
    volumeMounts: [
      { name: 'data', mountPath: '/volume' },
      { name: 'spaces', mountPath: '/spaces' },
    ],
  };
  const server = {
    ...container,
    env: environment(name, '/var/lib/postgresql/data'),
    volumeMounts: [
      { name: 'data', mountPath: '/var/lib/postgresql/data', subPath: 'database' },
      { name: 'spaces', mountPath: '/spaces' },
    ],
  };
  const claim = (of: string) => ({
    metadata: { name: of },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } },
  });
  await kubectl.apply([
    secret,
    service,
    {
      ...set,
      spec: {
        ...set.spec,
        template: { ...template, spec: { ...template.spec, initContainers: [prepare], containers: [server] } },
        volumeClaimTemplates: [claim('data'), claim('spaces')],
      },
    },
  ]);
  await untilReady(scenario, name);
  return serverIn(scenario, { password }, name);
}

interface Made {
  readonly spec?: {
    readonly template: { readonly spec: { readonly containers: readonly object[]; readonly [field: string]: unknown } };
    readonly [field: string]: unknown;
  };
}

/** The image makes a cluster when its server starts: one that ends at once. A recovered volume has it already. */
const prepareScript = `mkdir -p /spaces/warm
[ -e "$PGDATA/PG_VERSION" ] && exit 0
/bin/sh /usr/local/bin/entrypoint.sh postgres -c listen_addresses= & server=$!
until [ -s "$PGDATA/postmaster.pid" ] && pg_isready -q; do
  kill -0 "$server" || exit 1
  sleep 0.2
done
kill -INT "$server"
wait "$server"`;

function deployment(namespace: string, image: string): readonly object[] {
  const name = 'orders-db';
  const metadata = { name, namespace };
  const [secret, , set] = postgresObjects({ namespace, name, image, password }) as readonly Made[];
  const template = set?.spec?.template;
  const labels = { app: name };
  return [
    secret ?? {},
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: labels, ports: [{ name: 'postgres', port: 5432 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata,
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } } },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { ...template?.spec, volumes: [{ name: 'data', persistentVolumeClaim: { claimName: name } }] },
        },
      },
    },
  ];
}
