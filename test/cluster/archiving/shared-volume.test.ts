import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { archivingPolicy, Clockwork, physicalRun, pitrRecovery } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { archivingIn, failedCount, untilRolledOut } from './archive.ts';

/** The server's own pods mount the repository, beside the watcher, the backups and the recoveries. */
describe('an archive on a volume that many pods share', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  const repositoryRefs = [{ name: 'shared-disk' }];

  beforeAll(async () => {
    scenario = await startScenario('shared-disk');
    postgres = await scenario.postgres();
  });

  test('is refused while the claim is one node’s, before the server’s pods are touched', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(
      claim('backups-of-one-node', 'ReadWriteOnce'),
      repository('backups-of-one-node'),
      archivingPolicy(namespace, 'Archive', { repositoryRefs }),
    );
    const wanted = { type: 'ContinuousArchiving', status: 'False', reason: 'ClaimNotShared' };
    const policy = await scenario.condition('backuppolicy', 'orders', wanted);
    expect(archivingIn(policy)?.message).toMatch(/backups-of-one-node.*ReadWriteOnce.*mode: Stream/);
    const set = await scenario.kubectl.get('statefulset', 'orders-db', namespace);
    expect(set?.metadata['generation']).toBe(1);
  });

  test('holds WAL and backups, and gives a moment between back', async () => {
    explainFailure(scenario);
    const { namespace } = scenario;
    await scenario.apply(claim('backups', 'ReadWriteMany'), repository('backups'));
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 240);
    await untilRolledOut(scenario);
    const clockwork = new Clockwork(postgres);
    await clockwork.begin();
    await scenario.apply(physicalRun(namespace, 'base'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
    const good = await clockwork.tick();
    await postgres.psql('drop table clockwork');
    await clockwork.archived(scenario);
    expect(await failedCount(postgres)).toBe(0);
    await scenario.apply(
      pitrRecovery(namespace, 'before-the-drop', {
        recoveryTarget: { targetTime: good.time },
        target: { ephemeral: {} },
        assertions: [{ database: 'postgres', query: 'select value from clockwork', expect: String(good.value) }],
      }),
    );
    expect((await scenario.finished('pitrrecovery', 'before-the-drop')).status).toMatchObject({
      phase: 'Completed',
      error: '',
      assertions: [{ passed: true }],
    });
  });

  function claim(name: string, accessMode: string): object {
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name, namespace: scenario.namespace },
      spec: { accessModes: [accessMode], resources: { requests: { storage: '2Gi' } } },
    };
  }

  function repository(claimName: string): object {
    return {
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'BackupRepository',
      metadata: { name: 'shared-disk', namespace: scenario.namespace },
      spec: { volume: { claimName } },
    };
  }
});
