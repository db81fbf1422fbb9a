import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isManifest, type Reader, startReader } from '../../support/docs/follow.ts';
import { allPages, type Block, isCommand, readPage } from '../../support/docs/page.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { Clockwork } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

const own = 'cluster/docs/pages';
const followed = ['docs/policies.md', 'docs/restores.md', 'docs/operations.md', 'docs/troubleshooting.md'];

/** Each page from its top to its end, in one namespace and with one server, as a reader would. */
describe('what the pages tell a person to type', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let reader: Reader & { readonly folder: string };
  let moment = '';

  beforeAll(async () => {
    scenario = await startScenario('pages');
    const { namespace, s3 } = scenario;
    postgres = await scenario.postgres();
    await postgres.psql('create database orders');
    await postgres.psql('create table public.orders as select generate_series(1, 1234) as id', 'orders');
    const credentials = { AWS_ACCESS_KEY_ID: s3.accessKey, AWS_SECRET_ACCESS_KEY: s3.secretKey };
    await scenario.apply(
      ...scenario.repositoryObjects(),
      secret('orders-db-admin', { username: 'postgres', password: postgres.password }),
      secret('s3-credentials', credentials),
    );
    reader = await startReader(scenario, (text) =>
      text
        .replaceAll('orders-rw.shop.svc', `orders-db.${namespace}.svc`)
        .replaceAll(/(image: )"?postgres:17"?/g, `$1${scenario.images['postgres-17']}`)
        .replaceAll('"2026-11-21T14:05:00+01:00"', `"${moment}"`)
        // The same place as the repository of the scenario.
        .replaceAll(
          's3: {bucket: pg-backups, prefix: prod, region: eu-west-1,',
          `s3: {bucket: ${scenario.bucket}, prefix: test, endpoint: "${s3.endpoint}",`,
        ),
    );
  });
  afterAll(async () => {
    if (reader !== undefined) await rm(reader.folder, { recursive: true, force: true });
  });

  const secret = (name: string, stringData: Readonly<Record<string, string>>) => ({
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: scenario.namespace } },
    stringData,
  });
  const chapters = (page: string): readonly (readonly [string, string])[] =>
    [...new Set(readPage(page).blocks.map(({ heading }) => heading))].map((each) => [each || 'at the top', each]);
  const follow = async (page: string, heading: string): Promise<string> => {
    let printed = '';
    for (const block of readPage(page).blocks.filter((each) => each.heading === heading && isTyped(each)))
      printed += await reader.follow(block);
    return printed;
  };
  const rows = async (database: string) => await postgres.psql('select count(*) from public.orders', database);

  describe('docs/policies.md', () => {
    test.each(chapters('docs/policies.md'))('%s', async (_, heading) => {
      explainFailure(scenario);
      await follow('docs/policies.md', heading);
    });

    test('and what it says is there then', async () => {
      for (const name of ['nightly-first', 'orders-first', 'two-places-first']) {
        const run = await scenario.kubectl.get('backuprun', name, scenario.namespace);
        expect(run?.status).toMatchObject({ phase: 'Completed' });
      }
    });
  });

  describe('docs/restores.md', () => {
    beforeAll(async () => {
      const clockwork = new Clockwork(postgres);
      await clockwork.begin();
      moment = (await clockwork.tick()).time;
      await postgres.psql('drop table public.orders', 'orders');
      await clockwork.archived(scenario);
    });

    test.each(chapters('docs/restores.md'))('%s', async (_, heading) => {
      explainFailure(scenario);
      // Each begins with the table gone, or where it is to be replaced, there.
      if (heading === 'One table as it was at 14:05') await postgres.psql('drop table public.orders', 'orders');
      await follow('docs/restores.md', heading);
      if (/table/.test(heading)) expect(await rows('orders')).toBe('1234');
      if (heading === 'One database to yesterday') expect(await rows('orders_yesterday')).toBe('1234');
      if (heading === 'Backups that may only be read') expect(await rows('orders_copy')).toBe('1234');
    });
  });

  describe.each(['docs/operations.md', 'docs/troubleshooting.md'])('%s', (page) => {
    test.each(chapters(page))('%s', async (_, heading) => {
      explainFailure(scenario);
      await follow(page, heading);
    });
  });

  const single = allPages()
    .filter(({ path }) => !followed.includes(path))
    .flatMap(({ blocks }) => blocks.filter(({ fate }) => fate?.kind === 'test' && fate.test === own));

  test.each(single.map((block) => [block.page, block.text, block] as const))('%s: %s', async (_, __, block) => {
    explainFailure(scenario);
    await reader.follow(block);
  });
});

/** What another test runs, or none, is passed over; what cannot be applied is shown to the API server. */
function isTyped(block: Block): boolean {
  if (isCommand(block)) return block.fate?.kind === 'test' && block.fate.test === own;
  return isManifest(block) && block.fate?.kind !== 'test';
}
