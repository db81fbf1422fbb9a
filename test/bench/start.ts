import { type Environment, ensureNamespace } from '../support/tidemark/environment.ts';
import { backupRun, logicalPolicy } from '../support/tidemark/policy.ts';
import { startPostgresWorkload } from '../support/tidemark/postgres-workload.ts';
import { s3Repository } from '../support/tidemark/scenario-objects.ts';
import { until } from '../support/tidemark/until.ts';
import type { Figure } from './figure.ts';

const namespace = 'tidemark-bench-start';
const runs = 5;

/**
 * From `kubectl apply` of a BackupRun to a running pg_dump. A lock keeps pg_dump waiting, so that it cannot be missed; when
 * its session began is read from the server, whose clock is this host's.
 */
export async function benchStart(
  { kubectl, s3, images }: Environment,
  log: (line: string) => void,
): Promise<readonly Figure[]> {
  await ensureNamespace(kubectl, namespace, { 'tidemark.dev/test': 'true' });
  try {
    const postgres = await startPostgresWorkload(kubectl, {
      namespace,
      name: 'orders-db',
      image: images['postgres-17'] ?? '',
      password: crypto.randomUUID(),
    });
    await postgres.psql('create database shop');
    await postgres.psql('create table rows as select generate_series(1, 1000) n', 'shop');
    await s3.createBucket(namespace).catch(() => undefined);
    const logical = { databases: { include: ['shop'] } };
    await kubectl.apply([
      s3.secret(namespace, 'offsite-s3'),
      s3Repository(namespace, 'offsite', s3.endpoint, namespace),
      logicalPolicy(namespace, { logical }),
    ]);
    await until('the policy to be ready', async () => {
      const policy = await kubectl.get('backuppolicy', 'orders', namespace);
      return policy?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    });
    const seconds: number[] = [];
    for (let number = 1; number <= runs; number += 1) {
      log(`Start ${number} of ${runs}`);
      const lock = postgres
        .psql(
          "set application_name = 'the lock'; begin; lock table rows in access exclusive mode; select pg_sleep(600)",
          'shop',
        )
        .catch(() => '');
      await until(
        'the lock',
        async () =>
          (await postgres.psql(
            "select count(*) from pg_stat_activity where application_name = 'the lock' and wait_event = 'PgSleep'",
          )) === '1',
      );
      const begun = Date.now();
      await kubectl.apply([backupRun(namespace, `start-${number}`)]);
      const since = await until('pg_dump', async () => {
        const query =
          "select extract(epoch from backend_start) from pg_stat_activity where application_name = 'tidemark' and wait_event_type = 'Lock'";
        return (await postgres.psql(query)).split('\n')[0] || undefined;
      });
      seconds.push(Number(since) - begun / 1000);
      await postgres.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'the lock'");
      await lock;
      await until(
        'the run to end',
        async () => (await kubectl.get('backuprun', `start-${number}`, namespace))?.status?.phase === 'Completed',
      );
    }
    const sorted = seconds.toSorted((a, b) => a - b);
    const [least, median, most] = [sorted[0], sorted[Math.floor(runs / 2)], sorted.at(-1)].map((value) =>
      (value ?? 0).toFixed(1),
    );
    return [
      {
        what: `kubectl apply of a BackupRun to a running pg_dump, ${runs} runs`,
        value: `median ${median} s (${least} to ${most})`,
      },
    ];
  } finally {
    await kubectl.run(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false']);
  }
}
