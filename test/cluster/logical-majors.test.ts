import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ImageName } from '../support/images/build.ts';
import { prepareCluster } from '../support/tidemark/environment.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { fingerprint, loadShop } from '../support/tidemark/shop.ts';

/** Each one's backup goes into the next one. TIDEMARK_TEST_MAJORS=13,15,17,18 takes every step by itself. */
const majors = (process.env['TIDEMARK_TEST_MAJORS'] ?? '13,18').split(',');
const steps = (majors.length > 1 ? majors : [...majors, '18']).slice(0, -1).map((from, index) => ({
  from,
  to: majors[index + 1] ?? '18',
}));
const formats = ['Plain', 'Custom', 'Directory', 'Tar'];

describe.each(steps)('from PostgreSQL $from to $to', ({ from, to }) => {
  let scenario: Scenario;
  let older: PostgresWorkload;
  let newer: PostgresWorkload;
  let odd: readonly string[];
  let shop: readonly string[];

  beforeAll(async () => {
    const images = [`postgres-${from}`, `postgres-${to}`] as ImageName[];
    const { references } = await prepareCluster({ log: (line) => process.stdout.write(`${line}\n`), images });
    const image = (major: string) => references[`postgres-${major}` as ImageName] ?? '';
    scenario = await startScenario(`up${from}to${to}`);
    [older, newer] = await Promise.all([
      scenario.postgres({ image: image(from) }),
      scenario.postgres({ image: image(to), name: 'newer-db' }),
    ]);
    await loadShop(older);
    await older.psql('create database odd');
    await older.psql(await readFile('test/postgres/restore/odd.sql', 'utf8'), 'odd');
    shop = await fingerprint(older);
    odd = await fingerprint(older, 'odd');
    await scenario.apply(...scenario.repositoryObjects());
    for (const format of formats) {
      const name = format.toLowerCase();
      const jobs = format === 'Directory' ? { jobs: 2 } : {};
      await scenario.apply(
        logicalPolicy(
          scenario.namespace,
          { logical: { databases: { include: ['shop', 'odd'] }, format, ...jobs } },
          name,
        ),
        backupRun(scenario.namespace, name, { policyRef: { name } }),
      );
    }
  });

  test.each(formats)('a %s backup becomes the same databases there, roles included', async (format) => {
    explainFailure(scenario);
    const name = format.toLowerCase();
    const { status } = await scenario.finished('backuprun', name);
    expect(status).toMatchObject({ phase: 'Completed', error: '' });
    await scenario.apply(
      restoreRequest(scenario.namespace, name, {
        source: { backupRunRef: { name } },
        target: {
          server: {
            workloadRef: { kind: 'StatefulSet', name: 'newer-db' },
            credentialsSecretRef: { name: 'newer-db' },
          },
        },
        databases: [
          { name: 'shop', targetName: `shop_${name}` },
          { name: 'odd', targetName: `odd_${name}` },
        ],
        globals: 'Restore',
        jobs: 2,
      }),
    );
    expect((await scenario.finished('restorerequest', name)).status).toMatchObject({
      phase: 'Completed',
      error: '',
      restored: { databases: 2, errors: 0 },
    });
    expect(await fingerprint(newer, `shop_${name}`)).toEqual(shop);
    expect(await fingerprint(newer, `odd_${name}`)).toEqual(odd);
  });
});
