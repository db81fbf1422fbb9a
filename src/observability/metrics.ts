import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

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
    lastSuccess: new Gauge({
      name: 'tidemark_last_success_timestamp_seconds',
      help: 'When the newest successful backup of a policy completed',
      labelNames: policyLabels,
      registers,
    }),
    lastFailure: new Gauge({
      name: 'tidemark_last_failure_timestamp_seconds',
      help: 'When the newest failed backup of a policy ended',
      labelNames: policyLabels,
      registers,
    }),
    storedBytes: new Gauge({
      name: 'tidemark_backup_stored_bytes',
      help: 'Stored size of the newest successful backup of a policy',
      labelNames: policyLabels,
      registers,
    }),
    durationSeconds: new Gauge({
      name: 'tidemark_backup_duration_seconds',
      help: 'Duration of the newest successful backup of a policy',
      labelNames: policyLabels,
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

const policyLabels = ['namespace', 'policy'] as const;

export interface PolicyFigures {
  readonly lastSuccess?: Date;
  readonly lastFailure?: Date;
  readonly storedBytes?: number;
  readonly durationSeconds?: number;
}

/** Sets what is known of a policy, and takes away what is not: a zero would read as 1970. */
export function observePolicy(metrics: Metrics, namespace: string, policy: string, figures: PolicyFigures): void {
  const labels = { namespace, policy };
  const set = (gauge: Gauge<'namespace' | 'policy'>, value: number | undefined) => {
    if (value === undefined) gauge.remove(labels);
    else gauge.set(labels, value);
  };
  set(metrics.lastSuccess, figures.lastSuccess === undefined ? undefined : figures.lastSuccess.getTime() / 1000);
  set(metrics.lastFailure, figures.lastFailure === undefined ? undefined : figures.lastFailure.getTime() / 1000);
  set(metrics.storedBytes, figures.storedBytes);
  set(metrics.durationSeconds, figures.durationSeconds);
}
