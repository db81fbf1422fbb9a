import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hostAddress } from '../support/cluster/host-address.ts';
import {
  type Destination,
  startAzureBlob,
  startGoogleCloudStorage,
  startPrivateS3,
  startSftp,
} from '../support/destinations.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { serverIn, untilReady } from '../support/tidemark/recovered-server.ts';
import { archivingPolicy, Clockwork, physicalRun, pitrRecovery } from '../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { fingerprint, fingerprintOfRows } from '../support/tidemark/shop.ts';

const starts = {
  azure: startAzureBlob,
  google: startGoogleCloudStorage,
  office: startSftp,
  inhouse: startPrivateS3,
} as const;
type Name = keyof typeof starts;
const names = Object.keys(starts) as readonly Name[];

interface Spoilt {
  readonly how: (secret: Destination['secret']) => object;
  readonly told: RegExp;
}

/** Secrets that only a call of the server shows to be wrong; rclone would believe any host without known_hosts. */
const spoilt = {
  azure: {
    how: ({ AZURE_STORAGE_CONNECTION_STRING: text = '' }) => {
      const another = randomBytes(64).toString('base64');
      return { AZURE_STORAGE_CONNECTION_STRING: text.replace(/AccountKey=[^;]*/, `AccountKey=${another}`) };
    },
    told: /^WrongCredentials: The call “put” failed\. .*the Secret azure-wrong/,
  },
  office: {
    how: ({ 'rclone.conf': config, known_hosts: hosts = '' }) => ({
      'rclone.conf': config,
      known_hosts: hosts.replace(/.{20}$/, randomBytes(15).toString('base64')),
    }),
    told: /^UntrustedHost: The call “put” failed\. .*known_hosts/,
  },
} as const satisfies Partial<Record<Name, Spoilt>>;

/**
 * Azure's emulator, a server of Cloud Storage's protocol, OpenSSH and S3 behind a certificate of one's own listen on this
 * host; all that knows of them runs in pods of the restricted standard, by what the operator mounts there.
 */
describe('a policy that stores in Azure Blob, Cloud Storage, by SFTP and in S3 with a CA of its own', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  const started = new Map<Name, Destination>();
  let backupID: string;

  beforeAll(async () => {
    scenario = await startScenario('destinations');
    const host = await hostAddress();
    [postgres] = await Promise.all([
      scenario.postgres(),
      ...names.map(async (name) => started.set(name, await starts[name]({ host, name }))),
    ]);
    await postgres.psql('create database shop');
    for (const name of names)
      await postgres.psql(
        `create table ${name} (id bigint primary key, note text); insert into ${name} select n, md5('${name}' || n) || repeat('é', n % 50) from generate_series(1, 5000) n`,
        'shop',
      );
    const { namespace } = scenario;
    for (const [name, { spec, secret }] of started) await scenario.apply(...repository(namespace, name, spec, secret));
    for (const [name, { how }] of Object.entries(spoilt) as [Name, Spoilt][]) {
      const { spec = {}, secret = {} } = started.get(name) ?? {};
      const wrong = JSON.parse(JSON.stringify(spec).replaceAll(`"name":"${name}"`, `"name":"${name}-wrong"`));
      await scenario.apply(...repository(namespace, `${name}-wrong`, wrong, how(secret)));
    }
    await scenario.apply(
      logicalPolicy(namespace, { repositoryRefs: names.map((name) => ({ name })) }, 'everywhere'),
      archivingPolicy(namespace, 'Archive', { repositoryRefs: [{ name: 'office' }] }),
    );
    // Its server is restarted for it until then.
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 240);
  });

  afterAll(async () => {
    await Promise.all([...started.values()].map(({ stop }) => stop()));
  });

  test('each is Ready by its probe, and says what it can do', async () => {
    explainFailure(scenario);
    for (const name of names) {
      const { status } = await scenario.condition('backuprepository', name, { type: 'Ready', status: 'True' }, 120);
      expect(status?.['capabilities']).toEqual({ conditionalPut: name !== 'office', objectLock: false });
    }
  });

  test.each(Object.entries(spoilt))(
    '%s with a wrong Secret is not, and says which call failed and why',
    async (name, { told }) => {
      explainFailure(scenario);
      const wanted = { type: 'Ready', status: 'False' };
      const { status } = await scenario.condition('backuprepository', `${name}-wrong`, wanted, 120);
      const { reason, message } = status?.conditions?.find(({ type }) => type === 'Ready') ?? {};
      expect(`${reason}: ${message}`).toMatch(told);
    },
  );

  test('a logical backup is stored in all of them from one read', async () => {
    explainFailure(scenario);
    await scenario.apply(backupRun(scenario.namespace, 'dump', { policyRef: { name: 'everywhere' } }));
    const { status } = await scenario.finished('backuprun', 'dump');
    expect(status).toMatchObject({
      phase: 'Completed',
      error: '',
      repositories: names.map((name) => ({ name, state: 'Stored' })),
    });
    backupID = status?.backupID ?? '';
  });

  test('a dropped table comes back from each alone', async () => {
    explainFailure(scenario);
    const before = await fingerprint(postgres, 'shop');
    expect(before).toHaveLength(names.length + 1);
    await postgres.psql(`drop table ${names.join()}`, 'shop');
    await scenario.apply(
      ...names.map((name) =>
        restoreRequest(scenario.namespace, name, {
          source: { repository: { repositoryRef: { name }, backupID } },
          databases: [{ name: 'shop', create: false, tables: { include: [`public.${name}`] } }],
        }),
      ),
    );
    for (const name of names) {
      const { status } = await scenario.finished('restorerequest', name);
      expect(status).toMatchObject({ phase: 'Completed', error: '', restored: { errors: 0 } });
    }
    expect(await fingerprint(postgres, 'shop')).toEqual(before);
  });

  test('a moment between backups comes back by SFTP alone, in a new server', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    const clockwork = new Clockwork(postgres);
    await clockwork.begin();
    await scenario.apply(physicalRun(namespace, 'base'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({
      phase: 'Completed',
      error: '',
      repositories: [{ name: 'office', state: 'Stored' }],
    });
    await postgres.psql("insert into office select n, 'later' from generate_series(5001, 5500) n", 'shop');
    const before = await fingerprintOfRows(postgres, 'shop');
    const good = await clockwork.tick();
    await postgres.psql('drop table office', 'shop');
    await clockwork.archived(scenario);
    await scenario.apply(
      pitrRecovery(namespace, 'by-sftp', {
        recoveryTarget: { targetTime: good.time },
        target: { instance: { name: 'orders-recovered', storage: { size: '2Gi' } } },
      }),
    );
    const { status } = await scenario.finished('pitrrecovery', 'by-sftp', 240);
    expect(status).toMatchObject({ phase: 'Completed', error: '', reached: { timeline: 2 } });
    await untilReady(scenario, 'orders-recovered');
    expect(await fingerprintOfRows(serverIn(scenario, postgres, 'orders-recovered'), 'shop')).toEqual(before);
  });
});

/** The objects of a repository and of the Secret of the same name. */
function repository(namespace: string, name: string, spec: object, secret: object): readonly object[] {
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: secret },
    { apiVersion: 'tidemark.dev/v1alpha1', kind: 'BackupRepository', metadata: { name, namespace }, spec },
  ];
}
