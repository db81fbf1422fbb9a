import { setInterval } from 'node:timers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bounded } from '../../support/faults.ts';
import { type Asked, type Fault, isChange } from '../../support/tidemark/api-proxy.ts';
import { takeInventory } from '../../support/tidemark/inventory.ts';
import { createLocalOperator, type LocalOperator } from '../../support/tidemark/local-operator.ts';
import { backupRun, logicalPolicy } from '../../support/tidemark/policy.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

/** What an API server, or what stands before it, may answer at any time: the work is done once all the same. */
describe('an operator whose API server', () => {
  let scenario: Scenario;
  let operator: LocalOperator;

  beforeAll(async () => {
    scenario = await startScenario('weather');
    const { kubectl, kubeconfig, namespace } = scenario;
    const postgres = await scenario.postgres();
    await postgres.psql('create table things as select generate_series(1, 7) as id');
    operator = await createLocalOperator({ kubectl, kubeconfig, namespace });
    await operator.start();
    await scenario.apply(...scenario.repositoryObjects(), logicalPolicy(namespace));
    await scenario.condition('backuppolicy', 'orders', { type: 'Ready', status: 'True' });
  });
  afterAll(async () => {
    await operator?.close();
  });

  const conflict = { status: 409, reason: 'Conflict' } as const;
  const isLease = ({ path }: Asked) => path.includes('/leases/');
  /** Every other time, in no order; the word of who leads is let through, since losing it is another matter. */
  const often = (fault: Fault) => {
    let number = 1;
    const next = () => {
      number = (number * 48_271) % 2_147_483_647;
      return number;
    };
    return (asked: Asked) => (!isLease(asked) && next() % 2 === 0 ? fault : undefined);
  };
  /** The first tries of each change, by its path. */
  const each = (...faults: readonly Fault[]) => {
    const seen = new Map<string, number>();
    return (asked: Asked) => {
      if (!isChange(asked)) return undefined;
      const key = `${asked.method} ${asked.path}`;
      const count = seen.get(key) ?? 0;
      seen.set(key, count + 1);
      return faults[count];
    };
  };

  const weathers: Readonly<Record<string, () => Partial<Pick<LocalOperator['proxy'], 'before' | 'after'>>>> = {
    'throttles (429 and Retry-After)': () => ({
      before: often({ status: 429, reason: 'TooManyRequests', retryAfter: 1 }),
    }),
    'says of each change that another was quicker (409)': () => ({
      before: each(conflict),
    }),
    'breaks the connection before each change': () => ({ before: each('lost') }),
    'does each change and the answer is lost': () => ({ after: each('lost') }),
    'fails at each change (500, 503)': () => ({
      before: each(...[500, 503].map((status) => ({ status, reason: 'InternalError' }))),
    }),
    'ends every watch again and again, and has forgotten what was since (410)': () => {
      let watched = 0;
      return {
        before: (asked) => (asked.isWatch && watched++ % 2 === 1 ? { status: 410, reason: 'Expired' } : undefined),
      };
    },
  };

  // In npm test, a third of them.
  test.each(Object.keys(weathers).filter((_, index) => bounded(0, 1) === 1 || index % 3 === 0))(
    '%s',
    async (weather) => {
      explainFailure(scenario);
      const { kubectl, namespace } = scenario;
      const made: string[] = [];
      let cuts = 0;
      let faults = 0;
      const { before, after } = weathers[weather]?.() ?? {};
      const counting = (hook: typeof before) => async (asked: Asked) => {
        const fault = await hook?.(asked);
        faults += fault === undefined ? 0 : 1;
        return fault;
      };
      operator.proxy.before = counting(before);
      operator.proxy.after = async (asked, status) => {
        if (asked.method === 'POST' && asked.path.endsWith('/jobs') && status === 201)
          made.push((JSON.parse(asked.body) as { metadata: { name: string } }).metadata.name);
        const fault = await after?.(asked, status);
        faults += fault === undefined ? 0 : 1;
        return fault;
      };
      const cutting = weather.includes('watch')
        ? setInterval(() => {
            cuts += operator.proxy.cutWatches();
          }, 250)
        : undefined;
      const rounds = bounded(1, 10);
      try {
        for (let round = 0; round < rounds; round++) {
          const name = `run-${round}`;
          await scenario.apply(backupRun(namespace, name, { deletionPolicy: 'Delete' }));
          expect((await scenario.finished('backuprun', name)).status).toMatchObject({ phase: 'Completed', error: '' });
          const gone = ['delete', 'backuprun', name, '--timeout=120s'];
          await kubectl.run(gone, { namespace, timeoutSeconds: 130 });
        }
      } finally {
        clearInterval(cutting);
        operator.proxy.before = () => undefined;
        operator.proxy.after = () => undefined;
      }
      console.log(`${weather}: ${faults} faults, ${cuts} watches cut`);
      expect(faults + cuts).toBeGreaterThan(0);
      // A Job for the backup, one for its deletion.
      expect(made.toSorted()).toEqual([...new Set(made)].toSorted());
      expect(made).toHaveLength(rounds * 2);
      await until('nothing of the runs to be left', async () => {
        const left = (await takeInventory(kubectl, namespace)).filter((line) => /run-\d/.test(line));
        return left.every((line) => line.includes(' going '));
      });
      expect(operator.starts).toBe(1);
    },
    600_000,
  );
});
