import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bounded } from '../../support/faults.ts';
import { type Asked, isChange } from '../../support/tidemark/api-proxy.ts';
import { createLocalOperator, type LocalOperator } from '../../support/tidemark/local-operator.ts';
import { backupRun, logicalPolicy } from '../../support/tidemark/policy.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

const moments = [
  ['before it has the answer to its write', 'after'],
  ['before the API server has its write', 'before'],
] as const;

/** Two replicas; the one that leads stands still in the middle of its work, as a frozen node or a paused machine has it. */
describe('a leader that stands still', () => {
  let scenario: Scenario;
  let first: LocalOperator;
  let second: LocalOperator;

  beforeAll(async () => {
    scenario = await startScenario('leaders');
    const { kubectl, kubeconfig, namespace } = scenario;
    const postgres = await scenario.postgres();
    await postgres.psql('create table things as select generate_series(1, 7) as id');
    [first, second] = await Promise.all([
      createLocalOperator({ kubectl, kubeconfig, namespace }),
      createLocalOperator({ kubectl, kubeconfig, namespace }),
    ]);
    await first.start();
    await second.launch();
    await scenario.apply(...scenario.repositoryObjects(), logicalPolicy(namespace));
    await scenario.condition('backuppolicy', 'orders', { type: 'Ready', status: 'True' });
  });
  afterAll(async () => {
    await first?.close();
    await second?.close();
  });

  test.each(moments.slice(0, bounded(1, 2)))(
    '%s is followed by the other one, writes nothing more when it wakes, and has done no harm',
    async (_, where) => {
      explainFailure(scenario);
      const { kubectl, namespace } = scenario;
      const name = `frozen-${where}`;
      const held = Promise.withResolvers<void>();
      const wake = Promise.withResolvers<void>();
      const late: string[] = [];
      let paused = false;
      // The write that makes the Job is on its way when everything stops, and arrives when another has long made it.
      const standStill = async ({ method, path }: Asked) => {
        if (paused || method !== 'POST' || !path.endsWith('/jobs')) return undefined;
        paused = true;
        first.signal('SIGSTOP');
        held.resolve();
        await wake.promise;
        return undefined;
      };
      first.proxy.before = (asked) => {
        if (paused && isChange(asked)) late.push(`${asked.method} ${asked.path}`);
        return where === 'before' ? standStill(asked) : undefined;
      };
      first.proxy.after = (asked) => (where === 'after' ? standStill(asked) : undefined);
      await scenario.apply(backupRun(namespace, name));
      await held.promise;
      const begun = Date.now();
      await second.untilLeading(60);
      const took = (Date.now() - begun) / 1000;
      const run = await scenario.finished('backuprun', name);
      expect(run.status).toMatchObject({ phase: 'Completed', error: '' });
      const [job, ...others] = await kubectl.list('jobs', namespace, `tidemark.dev/run=${name}`);
      expect(others).toEqual([]);

      wake.resolve();
      first.signal('SIGCONT');
      const code = await Promise.race([first.exited(), pause(30_000).then(() => 'still running')]);
      console.log(`The other led after ${took.toFixed(1)} s; the one that woke ended with ${code}`);
      expect(code).toBe(1);
      expect(first.log()).toContain('it may no longer lead');
      expect(late).toEqual([]);
      const after = await kubectl.list('jobs', namespace, `tidemark.dev/run=${name}`);
      expect(after.map(({ metadata }) => metadata.uid)).toEqual([job?.metadata.uid]);
      const now = await kubectl.get('backuprun', name, namespace);
      expect(withoutTransitions(now?.status)).toEqual(withoutTransitions(run.status));

      // And the other goes on; next time it is the one that waits.
      await scenario.apply(backupRun(namespace, `after-${name}`));
      expect((await scenario.finished('backuprun', `after-${name}`)).status?.phase).toBe('Completed');
      await second.kill();
      await first.start();
      await second.launch();
    },
    240_000,
  );
});

/** The other one says the same a second time where its own words have not come back to it before it looks again. */
function withoutTransitions(status: unknown): unknown {
  return JSON.parse(JSON.stringify(status, (key, value) => (key === 'lastTransitionTime' ? undefined : value)));
}
