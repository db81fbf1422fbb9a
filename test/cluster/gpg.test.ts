import { beforeAll, describe, expect, test } from 'vitest';
import { forGpg, type GpgKey, generateGpgKey, privateSecret, publicSecret } from '../postgres/encryption/gpg-keys.ts';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { fingerprint, loadShop } from '../support/tidemark/shop.ts';

/** What the agent's image has besides zstd and age, in pods as they are: another user, nothing to write to but /tmp. */
describe('a repository that is encrypted by gpg', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let key: GpgKey;

  beforeAll(async () => {
    [scenario, key] = await Promise.all([startScenario('gpg'), generateGpgKey()]);
    postgres = await scenario.postgres();
    await loadShop(postgres);
    const objects = scenario.repositoryObjects().map((object) => {
      const { kind } = object as { readonly kind?: string };
      return kind === 'BackupRepository' ? forGpg(object as never, [key.fingerprint]) : object;
    });
    await scenario.apply(...objects, secretOf(scenario.namespace, publicSecret, key.publicKey));
  });

  test('is tried out with the public key, and found ready', async () => {
    explainFailure(scenario);
    const repository = await scenario.condition('backuprepository', 'offsite', { type: 'Ready', status: 'True' });
    expect(repository.status).toMatchObject({ probe: { outcome: 'Succeeded' } });
  });

  test.each(['lz4', 'gzip'])(
    'a backup packed with %s needs the private key to come back, every row',
    async (algorithm) => {
      explainFailure(scenario);
      const { namespace } = scenario;
      const logical = { databases: { include: ['shop'] }, format: 'Directory', jobs: 2 };
      await scenario.apply(
        logicalPolicy(namespace, { logical, compression: { algorithm } }, algorithm),
        backupRun(namespace, algorithm, { policyRef: { name: algorithm } }),
      );
      expect((await scenario.finished('backuprun', algorithm)).status).toMatchObject({ phase: 'Completed' });
      const request = (name: string) =>
        restoreRequest(namespace, name, {
          source: { backupRunRef: { name: algorithm } },
          databases: [{ name: 'shop', targetName: `shop_${algorithm}` }],
        });
      if (algorithm === 'lz4') {
        await scenario.apply(request('too-early'));
        expect((await scenario.finished('restorerequest', 'too-early')).status).toMatchObject({
          phase: 'Failed',
          conditions: [{ type: 'Succeeded', reason: 'IdentityMissing' }, { type: 'Stalled' }],
        });
      }
      await scenario.apply(secretOf(namespace, privateSecret, key.privateKey), request(algorithm));
      expect((await scenario.finished('restorerequest', algorithm)).status).toMatchObject({
        phase: 'Completed',
        error: '',
      });
      expect(await fingerprint(postgres, `shop_${algorithm}`)).toEqual(await fingerprint(postgres));
    },
  );
});

function secretOf(namespace: string, { name, key }: typeof publicSecret, text: string): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: { [key]: text } };
}
