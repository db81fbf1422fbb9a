import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { createFigures } from './figures.ts';

/** The operator's own metrics; docs/metrics.md lists them. Base units, and absent where nothing is known. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'tidemark_' });
  const registers = [registry];
  return {
    registry,
    reconciles: new Counter({
      name: 'tidemark_reconcile_total',
      help: 'Reconciles by controller and result',
      labelNames: ['controller', 'result'],
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: 'tidemark_reconcile_seconds',
      help: 'Duration of a reconcile',
      labelNames: ['controller'],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    }),
    queueDepth: new Gauge({
      name: 'tidemark_queue_depth',
      help: 'Keys that wait to be reconciled',
      labelNames: ['controller'],
      registers,
    }),
    activeWorkers: new Gauge({
      name: 'tidemark_active_workers',
      help: 'Reconciles under way',
      labelNames: ['controller'],
      registers,
    }),
    leader: new Gauge({ name: 'tidemark_leader', help: '1 while this replica leads', registers }),
    observe: createFigures(registry),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
