import type { Kubectl } from './kubectl.ts';

const kinds = 'backuppolicies,backupruns,restorerequests,pitrrecoveries,backuprepositories';

/** Everything a person would look at after a failure: custom resources, workloads, events, and each pod's log. */
export async function describeNamespace(kubectl: Kubectl, namespace: string): Promise<string> {
  const ask = (...args: readonly string[]) => kubectl.run(args, { namespace }).catch((error: unknown) => String(error));
  const sections = [
    ['custom resources', await ask('get', kinds, '-o', 'yaml')],
    ['workloads', await ask('get', 'cronjobs,jobs,pods,statefulsets,services,persistentvolumeclaims', '-o', 'wide')],
    ['events', await ask('get', 'events', '--sort-by', '.lastTimestamp')],
    ...(await podLogs(kubectl, namespace)),
    [
      'operator',
      await kubectl
        .run(['logs', '--selector', 'app.kubernetes.io/name=tidemark', '--tail', '200'], {
          namespace: 'tidemark-system',
        })
        .catch(String),
    ],
  ];
  return sections.map(([title, body]) => `\n===== ${namespace}: ${title}\n${body}\n`).join('');
}

async function podLogs(kubectl: Kubectl, namespace: string): Promise<readonly (readonly [string, string])[]> {
  const pods = await kubectl.list('pods', namespace).catch(() => []);
  return await Promise.all(
    pods.map(async ({ metadata: { name } }) => {
      const log = await kubectl.run(['logs', name, '--all-containers', '--tail', '100'], { namespace }).catch(String);
      return [`log of ${name}`, log] as const;
    }),
  );
}
