import { randomBytes } from 'node:crypto';
import { DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPage } from '../support/docs/page.ts';
import { ensureNamespace, testProcess } from '../support/tidemark/environment.ts';
import type { Loose } from '../support/tidemark/kubectl.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { s3Repository } from '../support/tidemark/scenario-objects.ts';
import { until } from '../support/tidemark/until.ts';

const sql = 'SELECT count(*) FROM things';

describe('the catalogue', () => {
  let scenario: Scenario;
  let server: PostgresWorkload;
  /** Of another name, with nothing but the repository. */
  let bare: string;
  const backupIDs = new Map<string, string>();

  beforeAll(async () => {
    scenario = await startScenario('catalogue');
    server = await scenario.postgres();
    await server.psql('CREATE DATABASE shop');
    await server.psql('CREATE TABLE things AS SELECT generate_series(1, 7) AS id', 'shop');
    await scenario.apply(...scenario.repositoryObjects(), logicalPolicy(scenario.namespace));
    for (const name of ['first', 'second', 'third']) {
      await scenario.apply(
        backupRun(scenario.namespace, name, { deletionPolicy: name === 'third' ? 'Retain' : 'Delete' }),
      );
      const { status } = await scenario.finished('backuprun', name);
      expect(status?.phase, status?.error).toBe('Completed');
      backupIDs.set(name, status?.backupID ?? '');
    }
    bare = `${scenario.namespace}-bare`;
    await ensureNamespace(scenario.kubectl, bare, { 'tidemark.dev/test': 'true', [testProcess]: String(process.pid) });
  });
  afterAll(async () => {
    if (bare !== undefined)
      await scenario.kubectl.run(['delete', 'namespace', bare, '--wait=false', '--ignore-not-found']);
  });

  test('a bare namespace that is pointed at a repository sees its backups, marked as those of another one', async () => {
    explainFailure(scenario);
    explainFailure({ kubectl: scenario.kubectl, namespace: bare });
    const { s3, bucket, namespace, kubectl } = scenario;
    const repository = s3Repository(bare, 'offsite', s3.endpoint, bucket) as { readonly spec: object };
    const spec = { ...repository.spec, accessMode: 'ReadOnly', catalogue: { namespaces: [namespace] } };
    await kubectl.apply([s3.secret(bare, 'offsite-s3'), { ...repository, spec }]);
    for (const name of backupIDs.keys()) {
      const run = await until(`the BackupRun ${name}`, async () => {
        const found = await kubectl.get('backuprun', name, bare);
        return found?.status?.phase === 'Completed' && found;
      });
      expect(run.status?.backupID).toBe(backupIDs.get(name));
      expect(run.status?.conditions).toContainEqual(
        expect.objectContaining({ type: 'Succeeded', status: 'True', reason: 'InRepository' }),
      );
      expect(run.metadata).toMatchObject({
        labels: { 'tidemark.dev/catalogue': 'offsite', 'tidemark.dev/origin-namespace': namespace },
      });
    }
    expect(await kubectl.list('jobs', bare, 'tidemark.dev/action=backup')).toEqual([]);
    const synced = await until('the repository to be synced', async () => {
      const found = await kubectl.get('backuprepository', 'offsite', bare);
      return conditionOf(found, 'CatalogueSynced') === 'True' && found;
    });
    expect(synced.status).toMatchObject({ backups: 3, lastSyncTime: expect.any(String) });
  });

  test('and restores one of them', async () => {
    explainFailure(scenario);
    explainFailure({ kubectl: scenario.kubectl, namespace: bare });
    const { kubectl, namespace } = scenario;
    const password = await kubectl.get('secret', 'orders-db', namespace);
    const { data } = (password ?? {}) as { readonly data?: Readonly<Record<string, string>> };
    await kubectl.apply([
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'orders-db', namespace: bare }, data },
      restoreRequest(bare, 'bring-back', {
        source: { backupRunRef: { name: 'second' } },
        target: {
          server: { host: `orders-db.${namespace}.svc`, credentialsSecretRef: { name: 'orders-db' } },
        },
        databases: [{ name: 'shop', targetName: 'brought_back' }],
      }),
    ]);
    const { status } = await kubectl.until({
      ...{ resource: 'restorerequest', name: 'bring-back', namespace: bare, seconds: 180 },
      to: 'to end',
      fits: (found) => ['Completed', 'Failed'].includes(found.status?.phase ?? ''),
    });
    expect(status?.phase, status?.error).toBe('Completed');
    expect((await server.psql(sql, 'brought_back')).trim()).toBe('7');
  });

  test('a hold stands in the repository, and keeps a backup that is to be deleted until it is taken back', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const hold = (value: boolean) =>
      kubectl.run(['patch', 'backuprun', 'first', '--type=merge', '-p', `{"spec":{"hold":${value}}}`], { namespace });
    await hold(true);
    await until('the hold to stand in the repository', async () =>
      (await keys()).some((key) => key.endsWith(`${backupIDs.get('first')}/hold.json`)),
    );
    await kubectl.run(['delete', 'backuprun', 'first', '--wait=false'], { namespace });
    await until('the refusal to be told', async () => {
      const events = await kubectl.list<{ reason: string; note: string }>('events.events.k8s.io', namespace);
      return events.some(({ reason, note }) => reason === 'StoredBackupNotDeleted' && note.includes('hold: true'));
    });
    await hold(false);
    await until(
      'the BackupRun to be gone',
      async () => (await kubectl.get('backuprun', 'first', namespace)) === undefined,
    );
    expect((await keys()).filter((key) => key.includes(backupIDs.get('first') ?? '?'))).toEqual([]);
  });

  test('a backup that the repository has lost vanishes from the bare namespace, and is told where it was made', async () => {
    explainFailure(scenario);
    explainFailure({ kubectl: scenario.kubectl, namespace: bare });
    const { namespace, kubectl, s3, bucket } = scenario;
    const { client, close } = await s3.connect();
    try {
      for (const Key of (await keys()).filter((key) => key.includes(backupIDs.get('third') ?? '?')))
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    } finally {
      await close();
    }
    for (const each of [namespace, bare]) await askForSync(each);
    await until('the BackupRuns of what is gone to vanish', async () => {
      const found = await kubectl.list('backupruns', bare);
      return found.length === 1;
    });
    const lost = await until('the BackupRun that was made here to say so', async () => {
      const found = await kubectl.get('backuprun', 'third', namespace);
      return found?.status?.phase === 'Expired' && found;
    });
    expect(lost.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Expired', reason: 'BackupLost' }));
    expect((await kubectl.get('backuprun', 'second', namespace))?.status?.phase).toBe('Completed');
  });

  test('with Retain nothing stored changes, and the object does not come back', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const before = await keys();
    await kubectl.run(['delete', 'backuprun', 'second', '--timeout=60s'], { namespace: bare });
    await askForSync(bare);
    expect(await kubectl.get('backuprun', 'second', bare)).toBeUndefined();
    expect(await keys()).toEqual(before);
    expect((await kubectl.get('backuprun', 'second', namespace))?.status?.phase).toBe('Completed');
  });

  test('what is held and deleted stays until somebody lets the object go, as the page says, and leaves the backup', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    const before = await keys();
    await kubectl.run(['patch', 'backuprun', 'second', '--type=merge', '-p', '{"spec":{"hold":true}}'], { namespace });
    await kubectl.run(['delete', 'backuprun', 'second', '--wait=false'], { namespace });
    const refused = (event: { reason: string; regarding: { name: string } }) =>
      event.reason === 'StoredBackupNotDeleted' && event.regarding.name === 'second';
    await until('the refusal to be told', async () => {
      const events = await kubectl.list<Parameters<typeof refused>[0]>('events.events.k8s.io', namespace);
      return events.some(refused);
    });
    const [block] = readPage('docs/catalogue.md').blocks.filter(({ text }) => text.includes('abandon-stored-backup'));
    const [program, ...words] = (block?.text ?? '').replace(/#.*/, '').trim().split(/\s+/);
    expect(program).toBe('kubectl');
    await kubectl.run(
      words.map((word) => (word === 'orders-nightly-29384756' ? 'second' : word)),
      { namespace },
    );
    await until(
      'the BackupRun to be gone',
      async () => (await kubectl.get('backuprun', 'second', namespace)) === undefined,
    );
    // The hold is written beside the manifest, sooner or later than all this.
    expect((await keys()).filter((key) => !key.endsWith('/hold.json'))).toEqual(before);
  });

  /** And waits until it has been done. */
  async function askForSync(namespace: string): Promise<void> {
    const { kubectl } = scenario;
    const value = randomBytes(4).toString('hex');
    await kubectl.run(['annotate', 'backuprepository', 'offsite', '--overwrite', `tidemark.dev/sync=${value}`], {
      namespace,
    });
    await until('the sync that was asked for', async () => {
      const { catalogue } = ((await kubectl.get('backuprepository', 'offsite', namespace))?.status ?? {}) as {
        readonly catalogue?: { readonly requested?: string };
      };
      return catalogue?.requested === value;
    });
  }

  async function keys(): Promise<readonly string[]> {
    const { client, close } = await scenario.s3.connect();
    try {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: scenario.bucket }));
      return Contents.map(({ Key = '' }) => Key);
    } finally {
      await close();
    }
  }
});

function conditionOf(object: Loose | undefined, type: string): string | undefined {
  return object?.status?.conditions?.find((each) => each.type === type)?.status;
}
