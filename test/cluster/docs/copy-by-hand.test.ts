import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Reader, startReader } from '../../support/docs/follow.ts';
import { readPage } from '../../support/docs/page.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

const page = readPage('docs/copy-backups.md').blocks;

function blockWith(words: string) {
  const found = page.find(({ text }) => text.includes(words));
  if (found === undefined) throw new Error(`docs/copy-backups.md has no block with ${words}`);
  return found;
}

/** The Job of the page in a cluster where its policy has a backup, and a claim for the copies. */
describe('docs/copy-backups.md, followed', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let reader: Reader & { readonly folder: string };
  let backupID: string;

  beforeAll(async () => {
    scenario = await startScenario('copy');
    const { namespace } = scenario;
    postgres = await scenario.postgres();
    await postgres.psql('create database shop');
    await postgres.psql('create table things as select generate_series(1, 1234) as id', 'shop');
    await scenario.apply(...scenario.repositoryObjects(), logicalPolicy(namespace), claim(namespace));
    backupID = await backUp('first');
    reader = await startReader(scenario, own, { atHome: true });
    await writeFile(join(reader.folder, 'copy-orders.yaml'), own(blockWith('kind: Job').text));
  });
  afterAll(async () => {
    if (reader !== undefined) await rm(reader.folder, { recursive: true, force: true });
  });

  /** The page's store, names and image are the test's. */
  const own = (text: string) =>
    text
      .replaceAll('-n shop', `-n ${scenario.namespace}`)
      .replaceAll('namespace: shop', `namespace: ${scenario.namespace}`)
      .replaceAll('"namespace": "shop"', `"namespace": "${scenario.namespace}"`)
      .replace('tidemark/agent:0.1.0', scenario.images['agent'] ?? '')
      .replace('"bucket": "backups", "prefix": "prod/eu"', `"bucket": "${scenario.bucket}", "prefix": "test"`)
      .replace('https://s3.example.com', scenario.s3.endpoint)
      .replace('"credentialsSecretRef": {"name": "offsite"}', '"credentialsSecretRef": {"name": "offsite-s3"}')
      .replace('secretName: offsite,', 'secretName: offsite-s3,');
  const backUp = async (name: string) => {
    await scenario.apply(backupRun(scenario.namespace, name));
    const { status } = await scenario.finished('backuprun', name);
    expect(status).toMatchObject({ phase: 'Completed', error: '' });
    return status?.backupID ?? '';
  };

  test('the Job copies the backups of the policy, and again what has come since', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const commands = blockWith('kubectl apply');
    expect(await reader.follow(commands)).toMatch(/1 backup copied to copies, 0 there already/);
    await backUp('second');
    await kubectl.run(['delete', 'job', 'copy-orders-by-hand'], { namespace });
    expect(await reader.follow(commands)).toMatch(/1 backup copied to copies, 1 there already/);
  });

  test('what was copied can be restored', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(
      {
        apiVersion: 'tidemark.dev/v1alpha1',
        kind: 'BackupRepository',
        metadata: { name: 'copies', namespace },
        spec: { volume: { claimName: 'copies' } },
      },
      restoreRequest(namespace, 'back', {
        source: { repository: { repositoryRef: { name: 'copies' }, backupID } },
        databases: [{ name: 'shop', targetName: 'shop_back' }],
      }),
    );
    expect((await scenario.finished('restorerequest', 'back')).status).toMatchObject({ phase: 'Completed', error: '' });
    expect(await postgres.psql('select count(*) from things', 'shop_back')).toBe('1234');
  });
});

function claim(namespace: string): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'copies', namespace },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
}
