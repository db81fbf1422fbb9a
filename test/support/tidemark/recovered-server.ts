import { logicalPolicy } from './policy.ts';
import type { PostgresWorkload } from './postgres-workload.ts';
import { physicalRun } from './recovery.ts';
import type { Scenario } from './scenario.ts';
import { until } from './until.ts';

/** psql in a pod of another workload, whose roles and passwords are the original's. */
export function serverIn(
  { kubectl, namespace }: Pick<Scenario, 'kubectl' | 'namespace'>,
  { password }: Pick<PostgresWorkload, 'password'>,
  workload: string,
): PostgresWorkload {
  const [kind, name = ''] = workload.includes('/') ? workload.split('/') : ['statefulset', workload];
  const target = kind === 'statefulset' ? `${name}-0` : `${kind}/${name}`;
  const exec = (command: readonly string[], input?: string) =>
    kubectl.run(['exec', '-i', target, '-c', 'postgres', '--', ...command], {
      namespace,
      timeoutSeconds: 600,
      ...(input === undefined ? {} : { input }),
    });
  const asked = ['psql', '-h', '127.0.0.1', '-U', 'postgres', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d'];
  const psql = (sql: string, database = 'postgres') => exec(['env', `PGPASSWORD=${password}`, ...asked, database], sql);
  return { namespace, name, password, psql, exec };
}

export async function untilReady({ kubectl, namespace }: Scenario, name: string, kind = 'statefulset'): Promise<void> {
  await until(`${kind} ${name} to be ready`, async () => {
    const workload = await kubectl.get(kind, name, namespace);
    return workload?.status?.['readyReplicas'] === 1;
  });
}

/** Waits until no pod of a recovery's Jobs is left at work. */
export async function untilQuiet({ kubectl, namespace }: Scenario, recovery: string): Promise<void> {
  await until(`the pods of ${recovery} to end`, async () => {
    const pods = await kubectl.list('pods', namespace, `tidemark.dev/recovery=${recovery}`);
    return pods.every(({ status }) => ['Succeeded', 'Failed'].includes(status?.phase ?? ''));
  });
}

/** A repository, a policy without archiving, and a physical backup `base` that holds its own WAL. */
export async function backUpWhole(scenario: Scenario, spec: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { namespace } = scenario;
  await scenario.apply(
    ...scenario.repositoryObjects(),
    logicalPolicy(namespace, { physical: { walMethod: 'Stream' }, ...spec }),
    physicalRun(namespace, 'base'),
  );
  const { status } = await scenario.finished('backuprun', 'base');
  if (status?.phase !== 'Completed') throw new Error(`The base backup ended as ${status?.phase}: ${status?.error}`);
  return status.backupID ?? '';
}

/** An Event is written after the status it tells of: awaits one about the object whose `reason: note` fits. */
export async function untilToldOf({ kubectl, namespace }: Scenario, name: string, words: RegExp): Promise<void> {
  let told: readonly string[] = [];
  await until(
    `an Event about ${name} that says ${words}`,
    async () => {
      const events = await kubectl.list<{
        readonly reason: string;
        readonly note?: string;
        readonly regarding: { readonly name: string };
      }>('events.events.k8s.io', namespace);
      told = events.filter(({ regarding }) => regarding.name === name).map(({ reason, note }) => `${reason}: ${note}`);
      return told.some((each) => words.test(each));
    },
    { seconds: 60, seen: () => told.join('\n') },
  );
}
