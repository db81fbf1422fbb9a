import { watchToTheEnd } from './backups.ts';
import { type DemoState, demoNamespace, type Step } from './demo-state.ts';
import { inPod } from './in-pod.ts';
import { fingerprintsOf } from './load-data.ts';

/** A base backup, whole and streamed, from which any later moment can be reached. */
export async function backupPhysically(state: DemoState, step: Step): Promise<void> {
  const name = `orders-base-${Date.now().toString(36)}`;
  await state.kubectl.apply([
    {
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'BackupRun',
      metadata: { name, namespace: demoNamespace },
      spec: { policyRef: { name: 'orders' }, method: 'Physical' },
    },
  ]);
  state.base = await watchToTheEnd(state, 'backuprun', name, step);
  const wal = state.base.status?.['wal'] as { beginLSN?: string; endLSN?: string } | undefined;
  step.title = `${step.title}: ${state.base.status?.backupID}, WAL ${wal?.beginLSN} to ${wal?.endLSN}`;
}

/** A busy morning after the backup, the last good moment, and a DELETE that lacks its WHERE. */
export async function deleteByAccident(state: DemoState, step: Step): Promise<void> {
  const { postgres } = state;
  await postgres.psql(
    'insert into shop.orders (customer_id, placed_at, net) select customer_id, placed_at, net from shop.orders limit 2500',
    'shop',
  );
  state.beforeDelete = await fingerprintsOf(postgres);
  await postgres.psql('select pg_sleep(0.05)');
  state.lastGoodMoment = (
    await postgres.psql(`select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`)
  ).trim();
  await postgres.psql('select pg_sleep(0.05)');
  const deleted = await postgres.psql(
    'with gone as (delete from shop.orders returning 1) select count(*) from gone',
    'shop',
  );
  await postgres.psql('select pg_switch_wal()');
  step.title = `${step.title}: ${Number(deleted).toLocaleString('en')} orders, just after ${state.lastGoodMoment}`;
}

/** The server as it was one moment before, beside the one that runs on. */
export async function recoverToMoment(state: DemoState, step: Step): Promise<void> {
  const name = `before-the-delete-${Date.now().toString(36)}`;
  await state.kubectl.apply([
    {
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'PitrRecovery',
      metadata: { name, namespace: demoNamespace },
      spec: {
        source: { policyRef: { name: 'orders' } },
        recoveryTarget: { targetTime: state.lastGoodMoment },
        target: { instance: { name, storage: { size: '5Gi' } } },
      },
    },
  ]);
  state.recovery = await watchToTheEnd(state, 'pitrrecovery', name, step);
  const reached = state.recovery.status?.['reached'] as { lsn?: string; timeline?: number } | undefined;
  const measured = state.recovery.status?.['measured'] as { rtoSeconds?: number } | undefined;
  step.title = `${step.title}: ${reached?.lsn} on timeline ${reached?.timeline}, in ${measured?.rtoSeconds} s`;
}

/** Every row of the recovered server against the rows of that moment. */
export async function compareMoment(state: DemoState, step: Step): Promise<void> {
  const recovered = await fingerprintsOf(inPod(state, `${state.recovery.metadata.name}-0`));
  const differing = Object.entries(state.beforeDelete).flatMap(([database, lines]) => {
    const now = new Set(recovered[database]);
    // Of sequences the WAL is written 32 values ahead, so that a recovered one may stand further.
    return lines
      .filter((line) => !line.startsWith('sequence ') && !now.has(line))
      .map((line) => `${database}: ${line}`);
  });
  if (differing.length > 0) throw new Error(`These are not as they were at that moment:\n${differing.join('\n')}`);
  const lines = Object.values(recovered).flat();
  state.recoveredRows = lines.reduce((sum, line) => sum + Number(/ (\d+) [0-9a-f]{32}$/.exec(line)?.[1] ?? 0), 0);
  step.title = `${step.title}: ${state.recoveredRows.toLocaleString('en')} rows and large objects in ${lines.length} places are the same`;
}
