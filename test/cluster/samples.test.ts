import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { testProcess } from '../support/tidemark/environment.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

const root = new URL('../../', import.meta.url);

describe('what README.md and manifests/samples tell a person to type', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let blocks: readonly string[];

  beforeAll(async () => {
    scenario = await startScenario('readme');
    blocks = codeBlocks(await readFile(new URL('README.md', root), 'utf8'));
    postgres = await scenario.postgres();
    await postgres.psql(`
      create role tidemark login password 'change-me' in role pg_read_all_data;
      create database orders;`);
    await postgres.psql('create table public.orders as select generate_series(1, 1234) as id', 'orders');
  });

  test("the README's first policy and a run by hand make a backup", async () => {
    explainFailure(scenario);
    await scenario.kubectl.apply(filledIn(blockWith('kind: BackupPolicy')));
    await scenario.condition('backuprepository', 'offsite', { type: 'Ready', status: 'True' });
    await scenario.condition('backuppolicy', 'orders', { type: 'Ready', status: 'True', reason: 'Scheduled' });
    const [, heredoc = ''] = /<<EOF\n(.*?)\nEOF\n/s.exec(blockWith('kind: BackupRun')) ?? [];
    const created = await scenario.kubectl.run(['create', '--filename', '-', '--output', 'name'], {
      namespace: scenario.namespace,
      input: heredoc,
    });
    const { status } = await scenario.finished('backuprun', created.trim().split('/')[1] ?? '');
    expect(status).toMatchObject({ phase: 'Completed' });
    expect(status?.['databases']).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'orders' })]));
  });

  test("the README's first restore brings a table into a database beside the live one", async () => {
    explainFailure(scenario);
    await scenario.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'orders-db-admin', namespace: scenario.namespace },
      type: 'kubernetes.io/basic-auth',
      stringData: { username: 'postgres', password: postgres.password },
    });
    await scenario.kubectl.apply(filledIn(blockWith('kind: RestoreRequest')));
    expect((await scenario.finished('restorerequest', 'look-at-yesterdays-orders')).status).toMatchObject({
      phase: 'Completed',
    });
    expect(await postgres.psql('select count(*) from public.orders', 'orders_yesterday')).toBe('1234');
  });

  test('the samples apply as they are, the operator answers for each, and they go without a rest', async () => {
    const { kubectl } = scenario;
    const namespace = 'shop';
    explainFailure({ kubectl, namespace });
    onTestFinished(async () => {
      await kubectl.run(['delete', 'namespace', namespace, '--wait=false', '--ignore-not-found']);
    });
    await kubectl.run(['apply', '--filename', new URL('manifests/samples', root).pathname]);
    const marks = ['tidemark.dev/test=true', `${testProcess}=${process.pid}`];
    await kubectl.run(['label', 'namespace', namespace, ...marks]);
    for (const [kind, count] of Object.entries({
      backuprepositories: 5,
      backuppolicies: 5,
      backupruns: 1,
      restorerequests: 2,
      pitrrecoveries: 1,
    })) {
      await until(`the operator to answer for ${kind}`, async () => {
        const objects = await kubectl.list(kind, namespace);
        return objects.length === count && objects.every(({ status }) => (status?.conditions?.length ?? 0) > 0);
      });
    }
    await kubectl.run(['delete', 'namespace', namespace, '--timeout=90s']);
  });

  function blockWith(words: string): string {
    const found = blocks.find((block) => block.includes(words));
    if (found === undefined) throw new Error(`README.md has no code block with ${words}`);
    return found;
  }

  /** What the README leaves to its reader: namespace, bucket, region and keys; and the endpoint of a store that is not AWS. */
  function filledIn(yaml: string): string {
    const { namespace, bucket, s3 } = scenario;
    return yaml
      .replaceAll('namespace: shop', `namespace: ${namespace}`)
      .replace('AWS_ACCESS_KEY_ID: change-me', `AWS_ACCESS_KEY_ID: ${s3.accessKey}`)
      .replace('AWS_SECRET_ACCESS_KEY: change-me', `AWS_SECRET_ACCESS_KEY: ${s3.secretKey}`)
      .replace('bucket: pg-backups,', `bucket: ${bucket}, endpoint: "${s3.endpoint}",`)
      .replace('region: eu-west-1', 'region: us-east-1');
  }
});

function codeBlocks(markdown: string): readonly string[] {
  return [...markdown.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, block = '']) => block);
}
