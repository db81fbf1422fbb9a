import { expect, test } from 'vitest';
import type { Caches } from '../../../src/controllers/context.ts';
import { observePolicies } from '../../../src/controllers/observe-policies.ts';
import { createMetrics, observePolicy } from '../../../src/observability/metrics.ts';
import { policy, run } from '../controllers/objects.ts';

const figure = async (metrics: ReturnType<typeof createMetrics>, name: string) =>
  (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(`tidemark_${name}`));

test('a figure that is not known is absent, not zero', async () => {
  const metrics = createMetrics();
  observePolicy(metrics, 'shop', 'orders', { lastSuccess: new Date(1000_000), storedBytes: 0 });
  expect(await figure(metrics, 'last_success')).toEqual([
    'tidemark_last_success_timestamp_seconds{namespace="shop",policy="orders"} 1000',
  ]);
  expect(await figure(metrics, 'last_failure')).toEqual([]);
  expect(await figure(metrics, 'backup_stored_bytes')).toHaveLength(1);
  observePolicy(metrics, 'shop', 'orders', {});
  expect(await figure(metrics, 'last_success')).toEqual([]);
});

test('the newest runs count, and a series goes with its policy', async () => {
  const metrics = createMetrics();
  const over = (phase: string, hour: number) =>
    run({
      status: {
        phase,
        startTime: `2026-03-10T0${hour}:00:00Z`,
        completionTime: `2026-03-10T0${hour}:00:30Z`,
        size: { stored: String(hour) },
      },
    });
  const runs = [over('Completed', 1), over('Completed', 3), over('Completed', 2), over('Failed', 4)];
  const caches = (policies: readonly object[]) =>
    ({ policies: { list: () => policies }, runs: { byIndex: () => runs } }) as unknown as Caches;
  observePolicies(metrics, caches([policy()]));
  const seconds = Date.parse('2026-03-10T03:00:30Z') / 1000;
  expect(await figure(metrics, 'last_success')).toEqual([
    `tidemark_last_success_timestamp_seconds{namespace="shop",policy="orders"} ${seconds}`,
  ]);
  expect(await figure(metrics, 'backup_stored_bytes')).toEqual([
    'tidemark_backup_stored_bytes{namespace="shop",policy="orders"} 3',
  ]);
  expect(await figure(metrics, 'backup_duration')).toEqual([
    'tidemark_backup_duration_seconds{namespace="shop",policy="orders"} 30',
  ]);
  observePolicies(metrics, caches([]));
  for (const name of ['last_success', 'last_failure', 'backup_stored', 'backup_duration'])
    expect(await figure(metrics, name)).toEqual([]);
});
