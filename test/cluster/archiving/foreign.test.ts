import { beforeAll, describe, expect, test } from 'vitest';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { archivingPolicy } from '../../support/tidemark/recovery.ts';
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
  writeSegment,
} from './archive.ts';

/** A server that archives already keeps its archiver until its owner takes it away. */
describe('a server with an archive_command of its own', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let before: unknown;

  const own = (folder: string) =>
    `mkdir -p /var/lib/postgresql/data/${folder} && cp "%p" "/var/lib/postgresql/data/${folder}/%f"`;
  const refused = { type: 'ContinuousArchiving', status: 'False', reason: 'ForeignArchiver' };

  beforeAll(async () => {
    scenario = await startScenario('foreign');
    postgres = await scenario.postgres();
    // One in the configuration, and one by ALTER SYSTEM that wins over it.
    await postgres.exec(['sh', '-c', 'cat >> "$PGDATA/postgresql.conf"'], `archive_command = '${own('by-file')}'\n`);
    await postgres.psql('alter system set archive_mode = on');
    await postgres.psql(`alter system set archive_command = '${own('by-command')}'`);
    await scenario.kubectl.run(['delete', 'pod', 'orders-db-0'], scenario);
    await until(
      'the server to archive',
      async () => (await postgres.psql('show archive_mode').catch(() => '')) === 'on',
    );
    before = await templateOf(scenario);
    await scenario.apply(...scenario.repositoryObjects(), archivingPolicy(scenario.namespace, 'Archive'));
    await scenario.condition('backuppolicy', 'orders', refused);
  });

  /** The foreign archiver is at work, and nothing of Tidemark's is beside it. */
  const expectUntouched = async (folder: string) => {
    const segment = await writeSegment(postgres);
    await until(`${segment} in the server's own archive`, async () =>
      (await postgres.exec(['ls', `/var/lib/postgresql/data/${folder}`]).catch(() => '')).includes(segment),
    );
    expect(await failedCount(postgres)).toBe(0);
    expect(await templateOf(scenario)).toEqual(before);
    expect(await alteredSettings(postgres)).not.toMatch(/tidemark/);
    expect((await storedWal(scenario)).size).toBe(0);
    expect(await eventsOf(scenario, 'WalArchivingRestart')).toEqual([]);
  };

  test('is left alone, and the condition says what it has and what to do', async () => {
    explainFailure(scenario);
    const policy = await readPolicy(scenario);
    const message = archivingIn(policy)?.message ?? '';
    expect(message).toContain('by-command');
    expect(message).toContain('ALTER SYSTEM RESET archive_command');
    expect(message).toContain('walArchiving.mode: Stream');
    expect(policy.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Stalled', status: 'True', reason: 'ForeignArchiver' }),
    );
    await untilEvent(scenario, { type: 'Warning', reason: 'ForeignArchiver' });
    expect(await scenario.kubectl.run(['get', 'bpol', 'orders'], scenario)).toMatch(/ForeignArchiver/);
    await expectUntouched('by-command');
  });

  test('a policy that was refused goes without touching it', async () => {
    explainFailure(scenario);
    await scenario.kubectl.run(['delete', 'backuppolicy', 'orders', '--timeout=60s'], scenario);
    await expectUntouched('by-command');
    await scenario.apply(archivingPolicy(scenario.namespace, 'Archive'));
    await scenario.condition('backuppolicy', 'orders', refused);
  });

  test('is left alone as well while only the configuration has one', async () => {
    explainFailure(scenario);
    await postgres.psql('alter system reset archive_command');
    await postgres.psql('select pg_reload_conf()');
    await until('the other one to be named', async () =>
      archivingIn(await readPolicy(scenario))?.message.includes('by-file'),
    );
    await expectUntouched('by-file');
  });

  test('archives through Tidemark by itself once its owner has taken it away', async () => {
    explainFailure(scenario);
    await postgres.exec(['sh', '-c', 'sed -i "/^archive_command/d" "$PGDATA/postgresql.conf"']);
    await postgres.psql('select pg_reload_conf()');
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 120);
    const segment = await writeSegment(postgres);
    await untilArchived(scenario, segment);
    expect(segmentsIn(await storedWal(scenario))).toContain(segment);
    expect(await failedCount(postgres)).toBe(0);
    expect((await readPolicy(scenario)).status?.conditions?.map(({ type }) => type)).not.toContain('Stalled');
    expect(await eventsOf(scenario, 'WalArchivingRestart')).toHaveLength(1);
    await untilEvent(scenario, { type: 'Normal', reason: 'Archiving' });
  });
});
