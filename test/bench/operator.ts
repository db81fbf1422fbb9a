import { setTimeout as pause } from 'node:timers/promises';
import { type Environment, ensureNamespace } from '../support/tidemark/environment.ts';
import { operatorNamespace } from '../support/tidemark/install.ts';
import { startPortForward } from '../support/tidemark/port-forward.ts';
import { until } from '../support/tidemark/until.ts';
import type { Figure } from './figure.ts';

const policies = 1000;
const namespace = 'tidemark-bench-operator';

/** The leading operator's memory at rest and with a thousand policies, and how long it took to judge them. */
export async function benchOperator(
  { kubectl, s3 }: Environment,
  log: (line: string) => void,
): Promise<readonly Figure[]> {
  await ensureNamespace(kubectl, namespace, { 'tidemark.dev/test': 'true' });
  try {
    const leader = await leadingPod(kubectl);
    const idle = await metrics(kubectl, leader);
    await kubectl.apply([s3.secret(namespace, 'offsite-s3'), repository(s3.endpoint)]);
    log(`Applying ${policies} policies`);
    const begun = performance.now();
    for (let first = 0; first < policies; first += 250) {
      const slice = Array.from({ length: 250 }, (_, index) => policy(`policy-${first + index}`));
      await kubectl.run(['create', '-f', '-'], {
        input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: slice }),
        timeoutSeconds: 300,
      });
    }
    const applied = (performance.now() - begun) / 1000;
    await until(
      'every policy to be judged',
      async () => {
        const all = await kubectl.list('backuppolicies', namespace);
        return (
          all.length === policies && all.every(({ status }) => status?.conditions?.some(({ type }) => type === 'Ready'))
        );
      },
      { seconds: 600, everyMilliseconds: 2000 },
    );
    const judged = (performance.now() - begun) / 1000;
    // The figure is of an operator that has come to rest: two collections of its own metrics later.
    await pause(15_000);
    const loaded = await metrics(kubectl, leader);
    return [
      { what: 'operator, RSS at rest', value: mebibytes(idle.rss) },
      { what: `operator, RSS with ${policies} policies`, value: mebibytes(loaded.rss) },
      {
        what: `${policies} policies applied by kubectl / judged after`,
        value: `${applied.toFixed(0)} s / ${judged.toFixed(0)} s`,
      },
      {
        what: 'policy reconciles, mean',
        value: `${((loaded.reconcileSum - idle.reconcileSum) / Math.max(1, loaded.reconcileCount - idle.reconcileCount)).toFixed(3)} s`,
      },
    ];
  } finally {
    log('Removing the policies');
    await kubectl.run(['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=300s'], {
      timeoutSeconds: 310,
    });
  }
}

async function leadingPod(kubectl: Environment['kubectl']): Promise<string> {
  const lease = await until('a leader', async () => {
    const [found] = await kubectl.list<{ spec: { holderIdentity?: string } }>('leases', operatorNamespace);
    return found?.spec.holderIdentity;
  });
  return lease.replace(/_[^_]*$/, '');
}

async function metrics(kubectl: Environment['kubectl'], pod: string) {
  const forward = await startPortForward(kubectl, operatorNamespace, `pod/${pod}`, 8080);
  try {
    const text = await (await fetch(`http://127.0.0.1:${forward.port}/metrics`)).text();
    const read = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0);
    return {
      rss: read(/^tidemark_process_resident_memory_bytes (\S+)/m),
      reconcileSum: read(/^tidemark_reconcile_seconds_sum\{controller="policies"\} (\S+)/m),
      reconcileCount: read(/^tidemark_reconcile_seconds_count\{controller="policies"\} (\S+)/m),
    };
  } finally {
    await forward.stop();
  }
}

function repository(endpoint: string): object {
  return {
    apiVersion: 'tidemark.dev/v1alpha1',
    kind: 'BackupRepository',
    metadata: { name: 'offsite', namespace },
    spec: { s3: { bucket: 'tidemark-bench', endpoint, credentialsSecretRef: { name: 'offsite-s3' } } },
  };
}

/** With a CronJob that never comes due while it is looked at. */
function policy(name: string): object {
  return {
    apiVersion: 'tidemark.dev/v1alpha1',
    kind: 'BackupPolicy',
    metadata: { name, namespace },
    spec: {
      source: { host: 'db.example.com', credentialsSecretRef: { name: 'nobody' } },
      repositoryRefs: [{ name: 'offsite' }],
      suspend: true,
      schedules: [{ name: 'nightly', cron: '0 3 * * *', method: 'Logical' }],
    },
  };
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
}
