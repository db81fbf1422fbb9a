import type { Loose } from '../support/tidemark/kubectl.ts';
import { until } from '../support/tidemark/until.ts';
import { type DemoState, demoNamespace, type Step } from './demo-state.ts';
import { settleSchedules } from './policy.ts';

/** A BackupRun as a person writes one, watched to its end. */
export async function backupByHand(state: DemoState, step: Step): Promise<void> {
  const name = `orders-by-hand-${Date.now().toString(36)}`;
  await state.kubectl.apply([
    {
      apiVersion: 'tidemark.dev/v1alpha1',
      kind: 'BackupRun',
      metadata: { name, namespace: demoNamespace },
      spec: { policyRef: { name: 'orders' }, method: 'Logical' },
    },
  ]);
  state.manual = await watchToTheEnd(state, 'backuprun', name, step);
  step.title = `${step.title}: ${outcome(state.manual)}`;
}

/** The next run that the CronJob starts. After it the schedule is a nightly one, so that the demo's cluster comes to rest. */
export async function waitForSchedule(state: DemoState, step: Step): Promise<void> {
  const known = new Set((await scheduledRuns(state)).map(({ metadata }) => metadata.name));
  const policy = await state.kubectl.get<{ status?: { nextScheduleTime?: string } }>(
    'backuppolicy',
    'orders',
    demoNamespace,
  );
  step.output = `the schedule fires at ${policy?.status?.nextScheduleTime ?? 'the next minute'}`;
  const run = await until(
    'the schedule to start a backup',
    async () => (await scheduledRuns(state)).find(({ metadata }) => !known.has(metadata.name)),
    { seconds: 150, everyMilliseconds: 1000 },
  );
  state.scheduled = await watchToTheEnd(state, 'backuprun', run.metadata.name, step);
  await settleSchedules(state);
  step.title = `${step.title}: ${outcome(state.scheduled)}`;
}

/** Shows progress while the object runs; a failure ends the demo with the object's own words. */
export async function watchToTheEnd(
  { kubectl }: DemoState,
  resource: string,
  name: string,
  step: Step,
): Promise<Loose> {
  let shown = '';
  const object = await until(
    `${resource} ${name} to end`,
    async () => {
      const seen = await kubectl.get(resource, name, demoNamespace);
      const line = progressLine(name, seen);
      if (line !== shown) step.output = line;
      shown = line;
      return ['Completed', 'Failed', 'Cancelled'].includes(seen?.status?.phase ?? '') && seen;
    },
    { seconds: 600, everyMilliseconds: 500 },
  );
  if (object.status?.phase !== 'Completed')
    throw new Error(`${resource} ${name} ended as ${object.status?.phase}: ${object.status?.error}`);
  return object;
}

async function scheduledRuns({ kubectl }: DemoState): Promise<readonly Loose[]> {
  return await kubectl.list('backupruns', demoNamespace, 'tidemark.dev/schedule=every-minute');
}

function progressLine(name: string, object: Loose | undefined): string {
  const progress = object?.status?.['progress'] as
    | { step?: string; percent?: number; bytesPerSecond?: string }
    | undefined;
  const rate =
    progress?.bytesPerSecond === undefined ? '' : `, ${(Number(progress.bytesPerSecond) / 1e6).toFixed(0)} MB/s`;
  return `${name}: ${object?.status?.phase ?? 'Pending'} ${progress?.percent ?? 0} % ${progress?.step ?? ''}${rate}`;
}

function outcome({ metadata, status }: Loose): string {
  const size = status?.['size'] as { source?: string; stored?: string; compressionRatio?: string } | undefined;
  const megabytes = (bytes: string | undefined) => `${(Number(bytes ?? 0) / 1e6).toFixed(1)} MB`;
  return `${metadata.name}, ${megabytes(size?.source)} stored as ${megabytes(size?.stored)}`;
}
