import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bounded } from '../../support/faults.ts';
import { giveOperatorBack, takeOperatorAway } from '../../support/tidemark/installed-operator.ts';
import { letRetentionGo } from '../../support/tidemark/let-retention-go.ts';
import { createLocalOperator, type LocalOperator } from '../../support/tidemark/local-operator.ts';
import { backupRun } from '../../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { archivingPolicy } from '../../support/tidemark/recovery.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';
import { growth, type Sample, sampleContainer, sampleProcess } from './samples.ts';

const seconds = bounded(75, 3600);

interface Verification {
  readonly name: string;
  readonly outcome: string;
}

/**
 * Backups, WAL under load, verification every minute and retention without its hour of grace, all at once and for long:
 * memory, open files, connections, slots and objects stay as many as they were.
 */
describe('an hour of work', () => {
  let scenario: Scenario;
  let postgres: PostgresWorkload;
  let operator: LocalOperator;

  beforeAll(async () => {
    scenario = await startScenario('soak');
    const { kubectl, kubeconfig, namespace } = scenario;
    postgres = await scenario.postgres({ storage: '8Gi' });
    await postgres.psql('create table load (n int, filler text)');
    await takeOperatorAway(kubectl);
    operator = await createLocalOperator({ kubectl, kubeconfig, namespace });
    await operator.start();
    await scenario.apply(
      ...scenario.repositoryObjects(),
      archivingPolicy(namespace, 'Archive', {
        schedules: [{ name: 'often', cron: '* * * * *', method: 'Logical' }],
        // As users have it: in an hour a name is not resolved once, or a connection lost.
        jobTemplate: {},
        retention: { keepLast: 3, minBackups: 2 },
        verification: { cron: '* * * * *' },
      }),
    );
    await scenario.condition('backuppolicy', 'orders', { type: 'ContinuousArchiving', status: 'True' }, 240);
  });
  afterAll(async () => {
    await operator?.close();
    await giveOperatorBack(scenario.kubectl);
  });

  test(
    'leaves memory, files, connections, slots and objects as they were',
    async () => {
      explainFailure(scenario);
      const { kubectl, namespace } = scenario;
      const end = Date.now() + seconds * 1000;
      const running = () => Date.now() < end;
      const samples: { operator: Sample[]; archiver: Sample[]; watcher: Sample[] } = {
        operator: [],
        archiver: [],
        watcher: [],
      };
      const verified = new Map<string, string>();
      const connections: number[] = [];
      const objects: number[] = [];
      let written = 0;
      let backups = 0;
      let repeated = 0;

      const load = async () => {
        while (running()) {
          await postgres.psql(
            'insert into load select n, repeat(md5(random()::text), 30) from generate_series(1, 5000) n; select pg_switch_wal(); truncate load',
          );
          written += 1;
          await pause(250);
        }
      };
      const backUp = async () => {
        for (let round = 0; running(); round++) {
          const [name, method] = [`soak-${round}`, round % 2 === 0 ? 'Physical' : 'Logical'];
          await scenario.apply(backupRun(namespace, name, { method }));
          expect((await scenario.finished('backuprun', name)).status).toMatchObject({ phase: 'Completed', error: '' });
          backups += 1;
          const job = await kubectl.get<{ readonly status?: { readonly failed?: number } }>('job', name, namespace);
          repeated += job?.status?.failed ?? 0;
          await letRetentionGo(scenario, 'orders');
        }
      };
      const noteVerified = async () => {
        for (const { name, outcome } of await lastVerified()) verified.set(name, outcome);
        return verified.size > 0;
      };
      const watch = async () => {
        while (running()) {
          const [own, archiver, watcher] = await Promise.all([
            sampleProcess(operator.pid),
            sampleContainer(scenario, 'orders-db-0', 'tidemark-wal'),
            sampleContainer(scenario, 'deployment/orders-wal', 'agent'),
          ]);
          samples.operator.push(own);
          samples.archiver.push(archiver);
          samples.watcher.push(watcher);
          connections.push(Number(await postgres.psql(clients)));
          objects.push(await countObjects());
          await noteVerified();
          await pause(bounded(1500, 15_000));
        }
      };
      await Promise.all([load(), backUp(), watch()]);
      await until('a verification to have ended', noteVerified);
      await settled();

      const memory = (of: readonly Sample[]) => of.map((sample) => sample.memory);
      const files = (of: readonly Sample[]) => of.map((sample) => sample.files);
      const figures = Object.entries(samples).map(([who, of]) => {
        const [first, last] = [of[0], of.at(-1)];
        return `${who} ${first?.memory.toFixed(0)} to ${last?.memory.toFixed(0)} MiB (${growth(memory(of)).toFixed(1)}), ${first?.files} to ${last?.files} files`;
      });
      const expired = (await kubectl.list('backupruns', namespace)).filter(({ status }) => status?.phase === 'Expired');
      console.log(
        `${seconds} s: ${backups} backups (${repeated} attempts repeated), ${written} segments, ${expired.length} expired, ${verified.size} verified; ${figures.join('; ')}; ` +
          `connections ${connections[0]} to ${Math.max(...connections)}; objects ${objects[0]} to ${Math.max(...objects)}`,
      );
      expect(backups).toBeGreaterThanOrEqual(2);
      expect(repeated).toBeLessThanOrEqual(backups / 50);
      expect([...verified].filter(([, outcome]) => outcome === 'Bad')).toEqual([]);
      const good = [...verified.values()].filter((outcome) => outcome === 'Good');
      expect(good.length).toBeGreaterThanOrEqual(seconds / 120);
      for (const [who, of] of Object.entries(samples)) {
        // In a minute a program gets warm: an hour shows whether it is flat, the minute that it stays below its limit.
        expect(growth(memory(of)), `${who}, MiB`).toBeLessThan(bounded(128, 20));
        expect(Math.max(...memory(of)), `${who}, MiB`).toBeLessThan(320);
        expect(growth(files(of)), `${who}, open files`).toBeLessThan(8);
      }
      expect(await postgres.psql('select count(*) from pg_replication_slots')).toBe('0');
      expect(await postgres.psql('select failed_count from pg_stat_archiver')).toBe('0');
      await until(
        'the connections of what has ended to be gone',
        async () => Number(await postgres.psql(clients)) <= 3,
        {
          seconds: 60,
        },
      );
      // Each backup is an object, and its Job stays for a week; nothing else may add up.
      // The volume of a verification goes with its pod, ten minutes after its end.
      const brief = (await kubectl.list('jobs', namespace)).filter(
        ({ spec }) => Number(spec?.['ttlSecondsAfterFinished']) <= 600,
      );
      const claims = (await kubectl.list('persistentvolumeclaims', namespace)).map(({ metadata }) => metadata.name);
      const others = claims.filter((claim) => !brief.some(({ metadata }) => claim.startsWith(`${metadata.name}-`)));
      expect(others).toEqual(['data-orders-db-0']);
    },
    (seconds + 600) * 1000,
  );

  /** The newest of each method, where it has ended. */
  async function lastVerified(): Promise<readonly Verification[]> {
    const policy = await scenario.kubectl.get('backuppolicy', 'orders', scenario.namespace);
    const { last = [] } = (policy?.status?.['verification'] ?? {}) as { last?: readonly Partial<Verification>[] };
    return last.filter((each): each is Verification => each.outcome !== undefined);
  }

  /** Without schedules, until nothing of it runs any more. */
  async function settled(): Promise<void> {
    const { kubectl, namespace } = scenario;
    const quiet = { schedules: [], verification: null };
    const patch = JSON.stringify({ spec: quiet });
    await kubectl.run(['patch', 'bpol', 'orders', '--type=merge', '-p', patch], { namespace });
    await until(
      'all Jobs to have ended',
      async () => {
        const jobs = await kubectl.list('jobs', namespace);
        const runs = await kubectl.list('backupruns,restorerequests,pitrrecoveries', namespace);
        return (
          jobs.every(({ status }) =>
            status?.conditions?.some(({ type }) => type === 'Complete' || type === 'Failed'),
          ) && runs.every(({ status }) => ['Completed', 'Failed', 'Cancelled', 'Expired'].includes(status?.phase ?? ''))
        );
      },
      { seconds: 300 },
    );
  }

  async function countObjects(): Promise<number> {
    const kinds = 'secrets,configmaps,persistentvolumeclaims,serviceaccounts,statefulsets,deployments,services';
    return (await scenario.kubectl.list(kinds, scenario.namespace)).length;
  }
});

const clients =
  "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";
