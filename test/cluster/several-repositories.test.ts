import { readFile } from 'node:fs/promises';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import type { BackupRunStatus } from '../../src/api/backup-run.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { s3Repository } from '../support/tidemark/scenario-objects.ts';
import { until } from '../support/tidemark/until.ts';

interface Told {
  readonly reason: string;
  readonly regarding: { readonly name: string };
}

describe('a policy with two repositories, of which one is away at first', () => {
  let scenario: Scenario;
  let away: string;

  beforeAll(async () => {
    scenario = await startScenario('several');
    away = `${scenario.bucket}-second`;
    const postgres = await scenario.postgres();
    await postgres.psql('create database shop');
    await postgres.psql('create table orders as select generate_series(1, 1000) as id', 'shop');
    const second = s3Repository(scenario.namespace, 'offsite', scenario.s3.endpoint, away) as {
      metadata: { name: string };
    };
    second.metadata.name = 'second';
    await scenario.apply(
      ...scenario.repositoryObjects(),
      second,
      logicalPolicy(scenario.namespace, { repositoryRefs: [{ name: 'offsite' }, { name: 'second' }] }),
    );
    await scenario.condition('backuprepository', 'offsite', { type: 'Ready', status: 'True' });
  });

  const statusOf = async (name: string): Promise<BackupRunStatus> =>
    ((await scenario.kubectl.get('backuprun', name, scenario.namespace))?.status ?? {}) as BackupRunStatus;
  const isTold = async (reason: string) =>
    (await scenario.kubectl.list<Told>('events.events.k8s.io', scenario.namespace)).some(
      (event) => event.reason === reason && event.regarding.name === 'first',
    );

  test('the run says in which it is stored, and can be restored from there', async () => {
    explainFailure(scenario);
    await scenario.apply(backupRun(scenario.namespace, 'first'));
    const { status } = await scenario.finished('backuprun', 'first', 240);
    expect(status).toMatchObject({
      phase: 'Failed',
      repositories: [
        { name: 'offsite', state: 'Stored' },
        { name: 'second', state: 'Failed', reason: 'NoSuchBucket' },
      ],
    });
    await until('the failure to be told', () => isTold('StoredInSome'));
    await scenario.apply(
      restoreRequest(scenario.namespace, 'from-one', {
        source: { latest: { policyRef: { name: 'orders' }, method: 'Logical' } },
        databases: [{ name: 'shop', targetName: 'shop_copy' }],
      }),
    );
    expect((await scenario.finished('restorerequest', 'from-one')).status).toMatchObject({ phase: 'Completed' });
  });

  test('when the other is Ready, the backup is copied there, and the run is Completed', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    await scenario.s3.createBucket(away);
    // Another probe at once.
    const patch = JSON.stringify({ spec: { s3: { prefix: 'copies' } } });
    await kubectl.run(['patch', 'backuprepository', 'second', '--type=merge', '-p', patch], { namespace });
    await scenario.condition('backuprepository', 'second', { type: 'Ready', status: 'True' });
    await until('the run to be caught up', async () => (await statusOf('first')).phase === 'Completed', {
      seconds: 240,
    });
    const status = await statusOf('first');
    expect(status.conditions).toMatchObject([{ type: 'Succeeded', status: 'True', reason: 'CaughtUp' }, {}, {}, {}]);
    const [one, other] = status.repositories ?? [];
    expect(other).toMatchObject({ name: 'second', state: 'Stored', reason: 'Copied', checksum: one?.checksum });
    await until('the end to be told', () => isTold('CaughtUp'));
    const { client, close } = await scenario.s3.connect();
    try {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: away }));
      expect(Contents.map(({ Key }) => Key)).toContain(`copies/${other?.path}/manifest.json`);
    } finally {
      await close();
    }
    await until('the Job to go', async () => (await kubectl.get('job', 'copy-orders', namespace)) === undefined);
  });

  test('the next run is stored in both from one read', async () => {
    explainFailure(scenario);
    await scenario.apply(backupRun(scenario.namespace, 'next'));
    const { status } = await scenario.finished('backuprun', 'next', 240);
    expect(status).toMatchObject({ phase: 'Completed', repositories: [{ state: 'Stored' }, { state: 'Stored' }] });
  });

  test('the Job of docs/copy-backups.md copies what is in one bucket into another', async () => {
    explainFailure(scenario);
    const { kubectl, namespace, images } = scenario;
    const page = await readFile(new URL('../../docs/copy-backups.md', import.meta.url), 'utf8');
    const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].flatMap(([, text = '']) => parseAllDocuments(text));
    const job = blocks.map((block) => block.toJS()).find(({ kind }) => kind === 'Job');
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'copies', namespace },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    await scenario.apply(claim);
    const text = stringify(job)
      .replaceAll('namespace: shop', `namespace: ${namespace}`)
      .replaceAll('"namespace": "shop"', `"namespace": "${namespace}"`)
      .replaceAll('https://s3.example.com', scenario.s3.endpoint)
      .replaceAll('"bucket": "backups", "prefix": "prod/eu"', `"bucket": "${scenario.bucket}", "prefix": "test"`)
      .replaceAll('secretName: offsite', 'secretName: offsite-s3')
      .replaceAll('image: tidemark/agent:0.1.0', `image: ${images['agent']}`);
    await kubectl.apply(text);
    await kubectl.run(['wait', '--for=condition=Complete', '--timeout=180s', 'job/copy-orders-by-hand'], { namespace });
    const log = await kubectl.run(['logs', 'job/copy-orders-by-hand'], { namespace });
    expect(log).toContain('2 backups copied to copies');
  });
});
