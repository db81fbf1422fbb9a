import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';
import {
  archivingIn,
  expectRefused,
  expectUnchanged,
  segmentsIn,
  storedWal,
  templateOf,
  untilArchived,
  untilEvent,
  untilRolledOut,
  writeSegment,
} from './archive.ts';

/** What is stored stays as it is, though the data of the server that wrote it go back to an older state. */
describe('an archive that a copy of its server writes to', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let stored: ReadonlyMap<string, string>;

  beforeAll(async () => {
    scenario = await startScenario('conflict');
    postgres = await scenario.postgres();
    await startArchiving(scenario, 'Archive');
    await untilRolledOut(scenario);
    // A copy as it lies in a snapshot of the volume: of the same system, without a timeline of its own.
    await postgres.exec([
      'sh',
      '-c',
      `PGPASSWORD=${postgres.password} pg_basebackup -h 127.0.0.1 -U postgres -D /var/lib/postgresql/data/copy -X stream -c fast`,
    ]);
    for (let count = 0; count < 3; count += 1) await writeSegment(postgres);
    await untilArchived(scenario, await writeSegment(postgres));
    stored = await storedWal(scenario);
    expect(segmentsIn(stored).length).toBeGreaterThan(3);
  });

  /** As somebody does who takes a volume back to its snapshot: while the server is stopped. */
  const exchangeData = async (from: string, to: string) => {
    const { kubectl, namespace, images } = scenario;
    await kubectl.run(['scale', 'statefulset', 'orders-db', '--replicas=0'], { namespace });
    await kubectl.run(['wait', '--for=delete', 'pod/orders-db-0', '--timeout=60s'], { namespace });
    const script = `cd /data && mv pgdata ${to} && mv ${from} pgdata`;
    await scenario.apply(podOnVolume(namespace, images['postgres-17'] ?? '', script));
    await until('the data to be exchanged', async () => {
      const pod = await kubectl.get('pod', 'exchange', namespace);
      return pod?.status?.phase === 'Succeeded';
    });
    await kubectl.run(['delete', 'pod', 'exchange'], { namespace });
    await kubectl.run(['scale', 'statefulset', 'orders-db', '--replicas=1'], { namespace });
    await untilAnswers(postgres);
  };

  test('an older state of the same server is refused, and the archive keeps the first one’s WAL', async () => {
    explainFailure(scenario);
    await exchangeData('copy', 'original');
    await writeSegment(postgres);
    await postgres.psql("create table of_the_copy as select 'other content'");
    await writeSegment(postgres);
    const message = await expectRefused(scenario, 'WalConflict', stored);
    expect(message).toMatch(/[0-9A-F]{24}/);
    expect(message).toMatch(/policy of its own/);
    expect(Number(await postgres.psql('select failed_count from pg_stat_archiver'))).toBeGreaterThan(0);
    // The server keeps what nobody stores.
    expect(Number(await postgres.psql(readyFiles))).toBeGreaterThan(0);
  });

  test('the first one archives on by itself when it is back', async () => {
    explainFailure(scenario);
    await exchangeData('original', 'copy');
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 120);
    const segment = await writeSegment(postgres);
    await untilArchived(scenario, segment);
    await expectUnchanged(scenario, stored);
  });

  test('a policy whose server is no more waits for it, and goes where a person says so, with a word on what stays', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    await kubectl.run(['scale', 'statefulset', 'orders-db', '--replicas=0'], { namespace });
    await kubectl.run(['wait', '--for=delete', 'pod/orders-db-0', '--timeout=60s'], { namespace });
    await kubectl.run(['delete', 'backuppolicy', 'orders', '--wait=false'], { namespace });
    const wanted = { type: 'ContinuousArchiving', status: 'False', reason: 'TakingBack' };
    const waiting = await scenario.condition('backuppolicy', 'orders', wanted);
    const [command = ''] = /kubectl .*$/.exec(archivingIn(waiting)?.message ?? '') ?? [];
    expect(command).toContain('tidemark.dev/abandon-archiving=true');
    await kubectl.run(command.split(' ').slice(1));
    await kubectl.run(['wait', '--for=delete', 'backuppolicy/orders', '--timeout=60s'], { namespace });
    const { note } = await untilEvent(scenario, { type: 'Warning', reason: 'ArchivingAbandoned' });
    expect(note).toMatch(/ALTER SYSTEM RESET archive_command;.*tidemark-wal/);
    await until('the watcher to go', async () => !(await kubectl.get('deployment', 'orders-wal', namespace)));
    expect(JSON.stringify(await templateOf(scenario))).toMatch(/tidemark-wal/);
    await expectUnchanged(scenario, stored);
  });
});

const readyFiles = "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'";

function podOnVolume(namespace: string, image: string, script: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'exchange', namespace },
    spec: {
      restartPolicy: 'Never',
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 999,
        runAsGroup: 999,
        fsGroup: 999,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'exchange',
          image,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', script],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data-orders-db-0' } }],
    },
  };
}

async function untilAnswers(postgres: PostgresWorkload): Promise<void> {
  await until('the server to answer', async () => (await postgres.psql('select 1').catch(() => '')) === '1');
}
