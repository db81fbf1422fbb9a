import { beforeAll, describe, expect, test } from 'vitest';
import type { Loose } from '../../support/tidemark/kubectl.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { physicalRun, pitrRecovery, startArchiving } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';
import {
  archivingIn,
  readPolicy,
  removeObject,
  storedWal,
  untilArchived,
  untilEvent,
  untilRolledOut,
  writeSegment,
} from './archive.ts';

interface Gap {
  readonly fromWal: string;
  readonly toWal: string;
}

/** Where WAL is missing, or goes on along another timeline, a new base backup is made without anybody's asking. */
describe('an archive that nobody can recover through', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;

  beforeAll(async () => {
    scenario = await startScenario('gap');
    postgres = await scenario.postgres();
    await startArchiving(scenario, 'Archive');
    await untilRolledOut(scenario);
    await scenario.apply(physicalRun(scenario.namespace, 'base'));
    expect((await scenario.finished('backuprun', 'base')).status).toMatchObject({ phase: 'Completed', error: '' });
  });

  const completed = (name: string) =>
    until(
      `BackupRun ${name} to end`,
      async () => {
        const run = await scenario.kubectl.get('backuprun', name, scenario.namespace);
        return run?.status?.phase === 'Completed' && run;
      },
      { seconds: 120 },
    );

  test('a segment that is gone is found, named, and followed by a new full backup', async () => {
    explainFailure(scenario);
    const { kubectl, namespace } = scenario;
    const before = await writeSegment(postgres);
    const lost = await writeSegment(postgres);
    await untilArchived(scenario, await writeSegment(postgres));
    const key = [...(await storedWal(scenario)).keys()].find((each) => each.includes(lost)) ?? '';
    await removeObject(scenario, key);
    // A watcher lists the archive when it begins, and then once an hour.
    await kubectl.run(['delete', 'pods', '--selector', 'tidemark.dev/action=watch-wal'], { namespace });
    const policy = await until('the gap to be found', async () => {
      const seen = await readPolicy(scenario);
      return gapsIn(seen).length > 0 && archivingIn(seen)?.message.includes(lost) && seen;
    });
    expect(gapsIn(policy)).toMatchObject([{ fromWal: lost, toWal: lost }]);
    expect(archivingIn(policy)?.message).toContain(`WAL is missing from ${lost} to ${lost}`);
    await untilEvent(scenario, { type: 'Warning', reason: 'NewBaseBackup' });
    const name = `orders-gap-${lost.toLowerCase()}`;
    const run = await completed(name);
    expect(run.spec).toMatchObject({ method: 'Physical', type: 'Full' });
    const { beginSegment = '' } = (run.status?.['wal'] ?? {}) as { readonly beginSegment?: string };
    expect(beginSegment > lost).toBe(true);
    expect(before < lost).toBe(true);

    // From there on every moment can be reached again.
    await postgres.psql("create table after_the_gap as select 'here' as word");
    await untilArchived(scenario, await writeSegment(postgres));
    await scenario.apply(
      pitrRecovery(namespace, 'beyond', {
        target: { ephemeral: {} },
        assertions: [{ database: 'postgres', query: 'select word from after_the_gap', expect: 'here' }],
      }),
    );
    expect((await scenario.finished('pitrrecovery', 'beyond', 240)).status).toMatchObject({
      phase: 'Completed',
      error: '',
    });
    expect(restorableIn(await readPolicy(scenario))).toMatchObject({ gaps: [{ fromWal: lost, toWal: lost }] });
  });

  test('a promotion is followed by a new full backup of the new timeline', async () => {
    explainFailure(scenario);
    await postgres.exec(['sh', '-c', 'touch "$PGDATA/standby.signal"']);
    await scenario.kubectl.run(['delete', 'pod', 'orders-db-0'], scenario);
    await until(
      'the standby to answer',
      async () => (await postgres.psql('select pg_is_in_recovery()').catch(() => '')) === 't',
    );
    expect(await postgres.psql('select pg_promote()')).toBe('t');
    const run = await completed('orders-timeline-2');
    expect(run.status?.['server']).toMatchObject({ timeline: 2 });
    const segment = await writeSegment(postgres);
    expect(segment).toMatch(/^00000002/);
    await untilArchived(scenario, segment);
    const keys = [...(await storedWal(scenario)).keys()];
    expect(keys.some((key) => key.endsWith('/history/00000002.history'))).toBe(true);
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' });
    const table = await scenario.kubectl.run(['get', 'bpol', 'orders'], scenario);
    expect(table).toMatch(/RESTORABLE FROM/);
  });
});

function restorableIn(policy: Loose) {
  return policy.status?.['restorable'] as { readonly gaps?: readonly Gap[] } | undefined;
}

function gapsIn(policy: Loose): readonly Gap[] {
  return restorableIn(policy)?.gaps ?? [];
}
