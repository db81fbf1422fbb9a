import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bounded } from '../../support/faults.ts';
import { armCrashPoints, type CrashMode } from '../../support/tidemark/crash-points.ts';
import { changesBetween, isAtRest, takeInventory } from '../../support/tidemark/inventory.ts';
import { createLocalOperator, type LocalOperator } from '../../support/tidemark/local-operator.ts';
import { backupRun } from '../../support/tidemark/policy.ts';
import type { PostgresWorkload } from '../../support/tidemark/postgres-workload.ts';
import { backUpWhole } from '../../support/tidemark/recovered-server.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';
import { type Operation, operationNames, operationsOf } from './crash-operations.ts';

/** In npm test, what deletes a backup, and what touches a server's data; all of it else. */
const chosen = operationNames.filter((_, index) => bounded(0, 1) === 1 || index === 0 || index === 3);

/**
 * The operator is killed at each change that it makes, before the API server has it and after, and runs on. What is there
 * in the end is what is there when nobody is killed.
 */
describe('an operator that is killed at each of its steps during', () => {
  let scenario: Scenario;
  let operator: LocalOperator;
  let operations: Readonly<Record<string, Operation>>;
  const mode: CrashMode = bounded(0, 1) === 1 ? 'all' : 'some';

  beforeAll(async () => {
    scenario = await startScenario('crash');
    const { kubectl, kubeconfig, namespace } = scenario;
    const postgres: PostgresWorkload = await scenario.postgres();
    await postgres.psql('create database shop');
    await postgres.psql('create table things as select generate_series(1, 7) as id', 'shop');
    operator = await createLocalOperator({ kubectl, kubeconfig, namespace });
    await operator.start();
    const backupID = await backUpWhole(scenario);
    await scenario.apply(backupRun(namespace, 'dump'));
    expect((await scenario.finished('backuprun', 'dump')).status?.phase).toBe('Completed');
    operations = operationsOf({ scenario, postgres, backupID });
    await quiet();
  });
  afterAll(async () => {
    await operator?.close();
  });

  test.each(chosen)(
    '%s',
    async (what) => {
      explainFailure(scenario);
      const operation = operations[what];
      if (operation === undefined) throw new Error(`there is no operation ${what}`);
      const reference = operation.leaves === undefined ? await observe(operation, 'plain', 'none') : undefined;
      const expected = operation.leaves ?? (await reference?.changes());
      const { points, changes } = await observe(operation, 'crashed', mode);
      console.log(`${what}: ${points.steps.length} steps, the operator was killed ${points.kills} times`);
      expect(points.kills).toBeGreaterThanOrEqual(mode === 'all' ? points.steps.length : 2);
      await until('the same to be left as without a kill', async () => isDeepStrictEqual(await changes(), expected), {
        seconds: 30,
      }).catch(async () => expect(await changes()).toEqual(expected));
      // Retention and the catalogue remove a Job that has ended to make the next of its name.
      const usual = new Map(
        [...(reference?.points.made ?? [])].map(([object, times]) => [masked(object, 'plain'), times]),
      );
      const tooOften = [...points.made].filter(
        ([object, times]) => object.startsWith('jobs/') && times > (usual.get(masked(object, 'crashed')) ?? 1),
      );
      expect(tooOften).toEqual([]);
      expect(operator.log()).not.toContain('"level":"fatal"');
      await operation.tidy?.('crashed');
      await quiet();
    },
    1_800_000,
  );

  async function observe(operation: Operation, name: string, how: CrashMode) {
    const { kubectl, namespace } = scenario;
    const before = await takeInventory(kubectl, namespace);
    const points = armCrashPoints(operator, namespace, how);
    await operation.run(name);
    await points.settled();
    points.disarm();
    await points.settled();
    const changes = async () => changesBetween(before, await takeInventory(kubectl, namespace), name);
    if (how !== 'none') return { points, changes };
    const kept = changesBetween(before, await quiet(), name);
    await operation.tidy?.(name);
    await quiet();
    return { points, changes: async () => kept };
  }

  /** The inventory, when no Job runs and nothing of it changes any more. */
  async function quiet(): Promise<readonly string[]> {
    const { kubectl, namespace } = scenario;
    let last = await takeInventory(kubectl, namespace);
    return await until('the namespace to come to rest', async () => {
      await pause(1500);
      const now = await takeInventory(kubectl, namespace);
      const same = isAtRest(now) && isDeepStrictEqual(now, last);
      last = now;
      return same ? now : undefined;
    });
  }
});

function masked(object: string, name: string): string {
  return object.replaceAll(name, 'NAME');
}
