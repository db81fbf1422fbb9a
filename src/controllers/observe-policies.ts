import type { BackupRun } from '../api/kinds.ts';
import { type Metrics, observePolicy } from '../observability/metrics.ts';
import { type Caches, indexes } from './context.ts';

/** The gauges of every policy that there is; those of a policy that is gone are taken away. */
export function observePolicies(metrics: Metrics, { policies, runs }: Pick<Caches, 'policies' | 'runs'>): void {
  for (const gauge of [metrics.lastSuccess, metrics.lastFailure, metrics.storedBytes, metrics.durationSeconds])
    gauge.reset();
  for (const { metadata } of policies.list()) {
    const own = runs.byIndex(indexes.policy, `${metadata.namespace}/${metadata.name}`);
    const [succeeded, failed] = [newest(own, 'Completed'), newest(own, 'Failed')];
    observePolicy(metrics, metadata.namespace, metadata.name, {
      ...date('lastSuccess', succeeded?.status?.completionTime),
      ...date('lastFailure', failed?.status?.completionTime),
      ...(succeeded?.status?.size?.stored === undefined ? {} : { storedBytes: Number(succeeded.status.size.stored) }),
      ...duration(succeeded),
    });
  }
}

/** Times of one form, so that they compare as text. */
function newest(runs: readonly BackupRun[], phase: string): BackupRun | undefined {
  let found: BackupRun | undefined;
  for (const run of runs) {
    if (run.status?.phase !== phase) continue;
    if (found === undefined || (run.status.completionTime ?? '') > (found.status?.completionTime ?? '')) found = run;
  }
  return found;
}

function date<Name extends string>(name: Name, time: string | undefined): { readonly [key in Name]?: Date } {
  return (time === undefined ? {} : { [name]: new Date(time) }) as { readonly [key in Name]?: Date };
}

function duration(run: BackupRun | undefined): { readonly durationSeconds?: number } {
  const { startTime, completionTime } = run?.status ?? {};
  if (startTime === undefined || completionTime === undefined) return {};
  return { durationSeconds: (Date.parse(completionTime) - Date.parse(startTime)) / 1000 };
}
