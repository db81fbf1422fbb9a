import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { archivingPolicy, physicalRun, pitrRecovery } from '../../support/tidemark/recovery.ts';
import { type S3Workload, startS3Workload } from '../../support/tidemark/s3-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { s3Repository } from '../../support/tidemark/scenario-objects.ts';
import { until } from '../../support/tidemark/until.ts';

const segments = 200;

/** 200 segments under load, while archiver, sidecar, server pod and S3 server are killed at random. */
describe('an archive whose every part is killed', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let s3: S3Workload;

  beforeAll(async () => {
    scenario = await startScenario('kills');
    const { kubectl, namespace, images } = scenario;
    [postgres, s3] = await Promise.all([
      scenario.postgres({ storage: '8Gi' }),
      // One of its own, since it is killed.
      startS3Workload(kubectl, namespace, images['s3'] ?? ''),
    ]);
    await s3.createBucket('own');
    await scenario.apply(
      s3.secret(namespace, 'offsite-s3'),
      s3Repository(namespace, 'offsite', s3.endpoint, 'own'),
      archivingPolicy(namespace, 'Archive'),
    );
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 240);
    await postgres.psql('create table load (n int primary key, filler text)');
    await scenario.apply(physicalRun(namespace, 'base'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
  });

  test('nothing that was committed is missing', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const kills: Readonly<Record<string, () => Promise<unknown>>> = {
      archiver: () =>
        postgres.psql("select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'archiver'"),
      sidecar: () =>
        kubectl.run(['exec', 'orders-db-0', '-c', 'tidemark-wal', '--', 'sh', '-c', 'kill -TERM 1'], { namespace }),
      pod: () => kubectl.run(['delete', 'pod', 'orders-db-0', '--grace-period=0', '--force'], { namespace }),
      s3: () =>
        kubectl.run(['delete', 'pods', '--selector', 'app.kubernetes.io/name=s3', '--grace-period=0', '--force'], {
          namespace,
        }),
    };
    let written = 0;
    let over = false;
    const killing = (async () => {
      const names = Object.keys(kills);
      const killed: string[] = [];
      while (!over) {
        await pause(2000 + Math.random() * 3000);
        const name = names[killed.length % names.length] ?? '';
        // What is being killed may just be away.
        await kills[name]?.().catch(() => undefined);
        killed.push(name);
      }
      return killed;
    })();
    while (written < segments) {
      const next = written + 1;
      // A statement whose connection broke was committed or was not: the key says which.
      const done = await postgres
        .psql(
          `insert into load select ${next}, repeat(md5(random()::text), 1000) on conflict do nothing; select pg_switch_wal()`,
        )
        .then(
          () => true,
          () => false,
        );
      if (done) written = next;
      else await until('the server to answer', async () => (await postgres.psql('select 1').catch(() => '')) === '1');
    }
    over = true;
    const killed = await killing;
    expect(new Set(killed)).toEqual(new Set(Object.keys(kills)));

    // All that the server wrote is in the archive: none waits, none is missing.
    const policy = await until(
      'the archive to have all',
      async () => {
        const seen = await kubectl.get('backuppolicy', 'orders', namespace);
        const wal = seen?.status?.['wal'] as { pendingSegments?: number; lagBytes?: string } | undefined;
        return wal?.pendingSegments === 0 && Number(wal.lagBytes) < 16 * 1024 ** 2 && seen;
      },
      { seconds: 240 },
    );
    expect((policy.status?.['restorable'] as { gaps?: unknown } | undefined)?.gaps).toEqual([]);
    await scenario.apply(
      pitrRecovery(namespace, 'all-of-it', {
        target: { ephemeral: {} },
        assertions: [
          { database: 'postgres', query: 'select count(*), max(n) from load', expect: `${segments}|${segments}` },
        ],
      }),
    );
    const recovery = await scenario.finished('pitrrecovery', 'all-of-it', 300);
    expect(recovery.status).toMatchObject({ phase: 'Completed', error: '' });
  }, 900_000);
});
