import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import type { KubeObject } from '../../kube/client.ts';
import type { Figure, FigureName } from '../../observability/figures.ts';
import { amount, instant } from './known.ts';

/** Of the runs of one policy. */
export function* figuresOfRuns({ metadata }: BackupPolicy & KubeObject, runs: readonly BackupRun[]): Iterable<Figure> {
  const labels = { namespace: metadata.namespace, policy: metadata.name };
  for (const [method, own] of Map.groupBy(runs, ({ spec }) => spec.method)) yield* ofMethod({ ...labels, method }, own);
  for (const [phase, own] of Map.groupBy(runs, ({ status }) => status?.phase ?? 'Pending'))
    yield { name: 'backup_runs', labels: { ...labels, phase }, value: own.length };
  yield* hookFailures(labels, runs);
  const verified = newest(runs, ({ status }) => status?.verified?.time)?.status?.verified;
  yield { name: 'last_verification_timestamp_seconds', labels, value: instant(verified?.time) };
  yield { name: 'verification_restore_seconds', labels, value: verified?.restoreSeconds };
}

/** A zero where hooks have run and none failed; nothing where none has run. */
function* hookFailures(labels: Figure['labels'], runs: readonly BackupRun[]): Iterable<Figure> {
  const results = runs.flatMap(({ status }) => status?.hooks?.results ?? []);
  for (const [list, own] of Map.groupBy(results, ({ hook }) => hook.replace(/\[.*/, ''))) {
    for (const [on_error, those] of Map.groupBy(own, ({ onError = 'Fail' }) => onError)) {
      const value = those.filter(({ state }) => state === 'Failed').length;
      yield { name: 'hook_failures', labels: { ...labels, list, on_error }, value };
    }
  }
}

function* ofMethod(labels: Figure['labels'], runs: readonly BackupRun[]): Iterable<Figure> {
  const one = (name: FigureName, value: number | undefined): Figure => ({ name, labels, value });
  const ended = (phase: string) =>
    newest(runs, ({ status }) => (status?.phase === phase ? status.completionTime : undefined))?.status;
  const good = ended('Completed');
  yield one('last_success_timestamp_seconds', instant(good?.completionTime));
  yield one('last_failure_timestamp_seconds', instant(ended('Failed')?.completionTime));
  const [begun, over] = [instant(good?.startTime), instant(good?.completionTime)];
  yield one('backup_duration_seconds', begun === undefined || over === undefined ? undefined : over - begun);
  yield one('backup_source_bytes', amount(good?.size?.source));
  yield one('backup_stored_bytes', amount(good?.size?.stored));
  yield one('backup_compression_ratio', amount(good?.size?.compressionRatio));
}

/** Times of one form, so that they compare as text; those without one do not count. */
export function newest<Shape>(all: readonly Shape[], timeOf: (one: Shape) => string | undefined): Shape | undefined {
  let [found, latest]: [Shape | undefined, string] = [undefined, ''];
  for (const one of all) {
    const time = timeOf(one);
    if (time !== undefined && time > latest) [found, latest] = [one, time];
  }
  return found;
}
