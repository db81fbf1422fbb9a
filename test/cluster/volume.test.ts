import { beforeAll, describe, expect, test } from 'vitest';
import { backupRun, logicalPolicy, restoreRequest } from '../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { fingerprint, loadShop } from '../support/tidemark/shop.ts';

describe('a repository on a volume', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;

  beforeAll(async () => {
    scenario = await startScenario('volume');
    postgres = await scenario.postgres();
    await loadShop(postgres);
    await scenario.apply(claim('backup-disk'), volumeRepository('local-disk', { claimName: 'backup-disk' }));
  });

  test('is tried out and found ready', async () => {
    explainFailure(scenario);
    const repository = await scenario.condition('backuprepository', 'local-disk', { type: 'Ready', status: 'True' });
    expect(repository.status).toMatchObject({
      capabilities: { conditionalPut: true },
      probe: { outcome: 'Succeeded' },
    });
  });

  test('holds a backup that is restored whole, every row', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    const before = await fingerprint(postgres);
    const logical = { databases: { include: ['shop'] }, format: 'Directory', jobs: 2 };
    await scenario.apply(
      logicalPolicy(namespace, { repositoryRefs: [{ name: 'local-disk' }], logical }),
      backupRun(namespace, 'on-disk'),
    );
    const run = await scenario.finished('backuprun', 'on-disk');
    expect(run.status).toMatchObject({
      phase: 'Completed',
      repositories: [{ name: 'local-disk', state: 'Stored' }],
    });

    await scenario.apply(
      restoreRequest(namespace, 'from-disk', {
        source: { backupRunRef: { name: 'on-disk' } },
        databases: [{ name: 'shop', targetName: 'from_disk' }],
        jobs: 2,
      }),
    );
    expect((await scenario.finished('restorerequest', 'from-disk')).status).toMatchObject({ phase: 'Completed' });
    expect(await fingerprint(postgres, 'from_disk')).toEqual(before);
  });

  test('deletionPolicy Delete empties it', async () => {
    explainFailure(scenario);
    const { namespace, kubectl } = scenario;
    await scenario.apply(backupRun(namespace, 'short-lived', { deletionPolicy: 'Delete' }));
    const { status } = await scenario.finished('backuprun', 'short-lived');
    expect(status).toMatchObject({ phase: 'Completed' });
    await kubectl.run(['delete', 'backuprun', 'short-lived', '--timeout=90s'], { namespace });
    await scenario.apply(
      restoreRequest(namespace, 'from-nothing', {
        source: { repository: { repositoryRef: { name: 'local-disk' }, backupID: status?.backupID } },
        databases: [{ name: 'shop', targetName: 'from_nothing' }],
      }),
    );
    expect((await scenario.finished('restorerequest', 'from-nothing')).status).toMatchObject({
      phase: 'Failed',
      conditions: [{ type: 'Succeeded', reason: 'BackupNotFound' }, { type: 'Stalled' }],
    });
  });

  test('says which claim is missing, and is ready once it is there', async () => {
    explainFailure(scenario);
    await scenario.apply(volumeRepository('no-disk', { claimName: 'nowhere' }));
    const repository = await scenario.condition('backuprepository', 'no-disk', {
      type: 'Ready',
      status: 'False',
      reason: 'VolumeMissing',
    });
    expect(JSON.stringify(repository.status?.conditions)).toContain('nowhere');
    await scenario.apply(claim('nowhere'));
    await scenario.condition('backuprepository', 'no-disk', { type: 'Ready', status: 'True' });
  });

  function claim(name: string): object {
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: scenario.namespace },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
  }

  function volumeRepository(name: string, volume: { readonly claimName: string }): object {
    return {
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'BackupRepository',
      metadata: { name, namespace: scenario.namespace },
      spec: { volume },
    };
  }
});
