import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';
import {
  alteredSettings,
  archivingIn,
  eventsOf,
  failedCount,
  readPolicy,
  segmentsIn,
  storedWal,
  templateOf,
  untilArchived,
  untilEvent,
  untilRolledOut,
  writeSegment,
} from './archive.ts';

/** What Tidemark puts into a server and its pods goes again, in an order in which the server never fails to archive. */
describe('archiving that is taken back', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;

  beforeAll(async () => {
    scenario = await startScenario('undo');
    postgres = await scenario.postgres();
    // A person's own things, in the places where Tidemark puts its own.
    await patchTemplate(scenario, {
      metadata: { annotations: { 'example.com/owner': 'billing' } },
      spec: {
        containers: [
          { name: 'postgres', env: [{ name: 'TZ', value: 'UTC' }], volumeMounts: [notes] },
          {
            name: 'notes',
            image: scenario.images['postgres-17'],
            command: ['sh', '-c', 'trap "exit 0" TERM; sleep 86400 & wait'],
            securityContext,
          },
        ],
        volumes: [{ name: 'notes', emptyDir: {} }],
      },
    });
    await untilRolledOut(scenario);
    await postgres.psql("alter system set work_mem = '5MB'");
    await startArchiving(scenario, 'Archive');
    await untilRolledOut(scenario);
  });

  const patchPolicy = (spec: object) =>
    scenario.kubectl.run(['patch', 'backuppolicy', 'orders', '--type=merge', '-p', JSON.stringify({ spec })], scenario);

  /** Nothing of Tidemark's is left, and what is a person's own is there. */
  const expectClean = async () => {
    await untilRolledOut(scenario);
    const template = await templateOf(scenario);
    expect(JSON.stringify(template)).not.toMatch(/tidemark-wal|tidemark\.dev|TIDEMARK_/);
    expect(template.metadata.annotations).toEqual({ 'example.com/owner': 'billing' });
    expect(template.spec.containers.map(({ name }) => name)).toEqual(['postgres', 'notes']);
    expect(template.spec.containers[0]?.env?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['POSTGRES_PASSWORD', 'TZ', 'ADDED_LATER']),
    );
    expect(template.spec.volumes?.map(({ name }) => name)).toEqual(['notes']);
    const pod = await scenario.kubectl.get('pod', 'orders-db-0', scenario.namespace);
    expect(pod?.spec?.['initContainers']).toBeUndefined();
    expect(await alteredSettings(postgres)).toBe("work_mem = '5MB'");
    expect(await postgres.psql('show archive_mode')).toBe('off');
    expect(await postgres.psql('show archive_command')).toBe('(disabled)');
    expect(await scenario.kubectl.get('deployment', 'orders-wal', scenario.namespace)).toBeUndefined();
  };

  /** Closes segment after segment, as far as the server answers. */
  const underLoad = async (work: () => Promise<void>) => {
    let over = false;
    let written = 0;
    const load = (async () => {
      while (!over) written += (await writeSegment(postgres).catch(() => '')) === '' ? 0 : 1;
    })();
    try {
      await work();
    } finally {
      over = true;
      await load;
    }
    expect(written).toBeGreaterThan(0);
  };

  test('suspend takes it all back, and the server fails to archive nothing', async () => {
    explainFailure(scenario);
    // Added while the sidecar is there, beside what Tidemark owns.
    await patchTemplate(scenario, {
      spec: { containers: [{ name: 'postgres', env: [{ name: 'ADDED_LATER', value: 'yes' }] }] },
    });
    await untilRolledOut(scenario);
    await untilArchived(scenario, await writeSegment(postgres));
    const failed = await failedCount(postgres);
    await underLoad(async () => {
      await patchPolicy({ suspend: true });
      await scenario.condition(
        'backuppolicy',
        'orders',
        { type: 'ContinuousArchiving', status: 'False', reason: 'Suspended' },
        120,
      );
      await untilRolledOut(scenario);
    });
    await expectClean();
    expect(await failedCount(postgres)).toBe(failed);
    await until(
      'the facts of the archive to go',
      async () => (await readPolicy(scenario)).status?.['wal'] === undefined,
    );
    expect((await readPolicy(scenario)).metadata['finalizers']).toBeUndefined();
    await untilEvent(scenario, { type: 'Normal', reason: 'Suspended' });
    expect((await eventsOf(scenario, 'WalArchivingRestart')).map(({ note }) => note)).toEqual([
      expect.stringContaining('archive_mode takes effect'),
      expect.stringContaining('archiving is taken back'),
    ]);
    const table = await scenario.kubectl.run(['get', 'bpol', 'orders'], scenario);
    expect(table).toMatch(/Suspended/);
  });

  test('suspend: false archives again, into the same archive, and what was written meanwhile is missed', async () => {
    explainFailure(scenario);
    const before = segmentsIn(await storedWal(scenario));
    const lost = await writeSegment(postgres);
    await patchPolicy({ suspend: false });
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 120);
    const segment = await writeSegment(postgres);
    await untilArchived(scenario, segment);
    expect(segmentsIn(await storedWal(scenario))).toEqual(expect.arrayContaining([...before, segment]));
    const { message = '' } = archivingIn(await readPolicy(scenario)) ?? {};
    const [, from = '', to = ''] = /^Up to .* WAL is missing from ([0-9A-F]{24}) to ([0-9A-F]{24})/.exec(message) ?? [];
    expect(from <= lost && lost <= to, `${lost} in ${message}`).toBe(true);
  });

  test('the policy’s deletion takes it back as well, and leaves the archive', async () => {
    explainFailure(scenario);
    const failed = await failedCount(postgres);
    const stored = segmentsIn(await storedWal(scenario));
    await scenario.kubectl.run(['delete', 'backuppolicy', 'orders', '--timeout=100s'], scenario);
    await expectClean();
    expect(await failedCount(postgres)).toBe(failed);
    expect(segmentsIn(await storedWal(scenario))).toEqual(expect.arrayContaining([...stored]));
  });
});

const notes = { name: 'notes', mountPath: '/notes' };
const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };

async function patchTemplate({ kubectl, namespace }: Scenario, template: object): Promise<void> {
  await kubectl.run(
    ['patch', 'statefulset', 'orders-db', '--type=strategic', '-p', JSON.stringify({ spec: { template } })],
    { namespace },
  );
}
