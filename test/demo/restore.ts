import { watchToTheEnd } from './backups.ts';
import { type DemoState, demoNamespace, type Step } from './demo-state.ts';
import { fingerprintsOf } from './load-data.ts';

const dropped = ['shop.orders', 'shop.order_lines', '"Ärger & Co".*'];

/** What nobody means to do. */
export async function dropTables({ postgres }: DemoState, step: Step): Promise<void> {
  await postgres.psql(
    'drop view shop.revenue; drop materialized view shop.best_customers; drop table shop.order_lines, shop.orders cascade; drop schema "Ärger & Co" cascade',
    'shop',
  );
  step.title = `${step.title}: ${dropped.join(', ')} and the views over them`;
}

/** The tables and what hangs on them, out of the backup made by the schedule, beside the tables that are still there. */
export async function restoreTables(state: DemoState, step: Step): Promise<void> {
  const name = `bring-orders-back-${Date.now().toString(36)}`;
  await state.kubectl.apply([
    {
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'RestoreRequest',
      metadata: { name, namespace: demoNamespace },
      spec: {
        source: { backupRunRef: { name: state.scheduled.metadata.name } },
        target: {
          server: {
            workloadRef: { kind: 'StatefulSet', name: 'orders-db' },
            credentialsSecretRef: { name: 'orders-db' },
          },
        },
        databases: [{ name: 'shop', tables: { include: [...dropped, 'shop.revenue', 'shop.best_customers'] } }],
        assertions: [{ database: 'shop', query: 'select count(*) from shop.orders', expect: '40000' }],
      },
    },
  ]);
  state.restore = await watchToTheEnd(state, 'restorerequest', name, step);
  const restored = state.restore.status?.['restored'] as { objects?: number } | undefined;
  step.title = `${step.title}: ${restored?.objects ?? 0} objects`;
}

/** Every row of every table, sequences and large objects included, against what was there before the accident. */
export async function compareRows(state: DemoState, step: Step): Promise<void> {
  const after = await fingerprintsOf(state.postgres);
  const differing = Object.entries(state.before).flatMap(([database, lines]) => {
    const now = new Set(after[database]);
    return lines.filter((line) => !now.has(line)).map((line) => `${database}: ${line}`);
  });
  if (differing.length > 0) throw new Error(`These are not as they were before:\n${differing.join('\n')}`);
  const lines = Object.values(after).flat();
  state.comparedRows = lines.reduce((sum, line) => sum + Number(/ (\d+) [0-9a-f]{32}$/.exec(line)?.[1] ?? 0), 0);
  step.title = `${step.title}: ${state.comparedRows.toLocaleString('en')} rows and large objects in ${lines.length} places are the same`;
}
