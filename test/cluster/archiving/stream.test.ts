import { beforeAll, describe, expect, test } from 'vitest';
import { type Lsn, parseLsn } from '../../../src/domain/wal/lsn.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { archivingPolicy, physicalRun } from '../../support/tidemark/recovery.ts';
import { type S3Workload, startS3Workload } from '../../support/tidemark/s3-workload.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { s3Repository } from '../../support/tidemark/scenario-objects.ts';
import {
  archivingIn,
  readPolicy,
  segmentsIn,
  storedWal,
  templateOf,
  untilArchived,
  untilEvent,
  writeSegment,
} from './archive.ts';

const segmentSize = 16n * 1024n ** 2n;

/** A server that is only a host and a port: nothing of it is changed, and it keeps its WAL until it is stored. */
describe('WAL that is received', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let before: unknown;

  beforeAll(async () => {
    const shared = await startScenario('stream');
    const { kubectl, namespace, images } = shared;
    let s3: S3Workload;
    [postgres, s3] = await Promise.all([
      shared.postgres({ storage: '4Gi', args: ['-c', 'max_slot_wal_keep_size=160MB'] }),
      // One of its own, since it is stopped.
      startS3Workload(kubectl, namespace, images['s3'] ?? ''),
    ]);
    await s3.createBucket('own');
    scenario = { ...shared, s3, bucket: 'own' };
    before = await templateOf(scenario);
    const source = { host: `orders-db.${namespace}.svc`, credentialsSecretRef: { name: 'orders-db' } };
    await scenario.apply(
      s3.secret(namespace, 'offsite-s3'),
      s3Repository(namespace, 'offsite', s3.endpoint, 'own'),
      archivingPolicy(namespace, 'Stream', { source }),
    );
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 120);
  });

  const slots = () => postgres.psql('select restart_lsn, wal_status from pg_replication_slots');
  const scaleS3 = async (replicas: number) => {
    await scenario.kubectl.run(['scale', 'deployment', 's3', `--replicas=${replicas}`], scenario);
    // A pod that is on its way out still answers.
    if (replicas === 0)
      await scenario.kubectl.run(
        ['wait', 'pod', '-l=app.kubernetes.io/name=s3', '--for=delete', '--timeout=60s'],
        scenario,
      );
    await scenario.kubectl.run(['rollout', 'status', 'deployment/s3', '--timeout=60s'], scenario);
  };

  test('is stored, and the slot never passes what is stored', async () => {
    explainFailure(scenario);
    let over = false;
    const seen: { readonly restart: Lsn; readonly end: Lsn }[] = [];
    const looking = (async () => {
      while (!over) {
        // The slot first: what it has let go of must be in the repository by then.
        const [restart = ''] = (await slots()).split('|');
        seen.push({ restart: parseLsn(restart), end: endOf(segmentsIn(await storedWal(scenario))) });
      }
    })();
    let last = '';
    for (let count = 0; count < 12; count += 1) last = await writeSegment(postgres);
    await untilArchived(scenario, last);
    over = true;
    await looking;
    expect(new Set(seen.map(({ restart }) => restart)).size).toBeGreaterThan(1);
    expect(seen.filter(({ restart, end }) => restart > end)).toEqual([]);
    await scenario.apply(physicalRun(scenario.namespace, 'base'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
  });

  test('is warned of with a number before the slot is lost, and nothing is missing afterwards', async () => {
    explainFailure(scenario);
    await scaleS3(0);
    let last = '';
    for (let count = 0; count < 7; count += 1) last = await writeSegment(postgres);
    const wanted = { type: 'ContinuousArchiving', status: 'False', reason: 'SlotNearlyLost' };
    const { message = '' } = archivingIn(await scenario.condition('backuppolicy', 'orders', wanted, 60)) ?? {};
    expect(message).toMatch(/\d+ MiB more WAL/);
    expect(message).toContain('max_slot_wal_keep_size is 160 MiB');
    await untilEvent(scenario, { type: 'Warning', reason: 'SlotNearlyLost' });
    expect(await scenario.kubectl.run(['get', 'bpol', 'orders'], scenario)).toContain('SlotNearlyLost');
    expect(await slots()).not.toContain('lost');
    await scaleS3(1);
    await untilArchived(scenario, last);
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' });
    expect((await readPolicy(scenario)).status?.['wal']).toMatchObject({ gaps: [] });
    await untilEvent(scenario, { type: 'Normal', reason: 'Archiving' });
  });

  test('is not received where every commit would wait for it', async () => {
    explainFailure(scenario);
    await postgres.psql("alter system set synchronous_standby_names = '*'");
    await postgres.psql('select pg_reload_conf()');
    const wanted = { type: 'ContinuousArchiving', status: 'False', reason: 'SynchronousStandby' };
    const policy = await scenario.condition('backuppolicy', 'orders', wanted, 60);
    expect(archivingIn(policy)?.message).toContain('synchronous_standby_names');
    expect(await postgres.psql('select count(*) from pg_stat_replication')).toBe('0');
    await postgres.psql('alter system reset synchronous_standby_names');
    await postgres.psql('select pg_reload_conf()');
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' });
  });

  test('leaves nothing on the server when the policy goes, and has never touched its pods', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    expect(await templateOf(scenario)).toEqual(before);
    const pod = await kubectl.get('pod', 'orders-db-0', namespace);
    expect(pod?.status?.['containerStatuses']).toMatchObject([{ name: 'postgres', restartCount: 0 }]);
    await kubectl.run(['delete', 'backuppolicy', 'orders', '--timeout=60s'], { namespace });
    expect(await postgres.psql('select count(*) from pg_replication_slots')).toBe('0');
  });
});

/** Up to where the stored segments go without one missing; they begin where the slot was made. */
function endOf(names: readonly string[]): Lsn {
  const numbers = names.map((name) => BigInt(`0x${name.slice(8, 16)}`) * 256n + BigInt(`0x${name.slice(16)}`));
  const [first = 0n] = numbers;
  const hole = numbers.findIndex((number, index) => number !== first + BigInt(index));
  return (first + BigInt(hole === -1 ? numbers.length : hole)) * segmentSize;
}
