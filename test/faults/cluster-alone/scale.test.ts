import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LineClient } from '../../../src/kube/client.ts';
import { clientFromKubeconfig } from '../../../src/kube/from-kubeconfig.ts';
import { bounded } from '../../support/faults.ts';
import { ensureNamespace, testProcess } from '../../support/tidemark/environment.ts';
import { giveOperatorBack, takeOperatorAway } from '../../support/tidemark/installed-operator.ts';
import { createLocalOperator, type LocalOperator } from '../../support/tidemark/local-operator.ts';
import { explainFailure, type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';
import { type Crowd, clear, populate } from './populate.ts';

/** 20 namespaces of 100 policies with 10 runs each, in full; a tenth of it else. */
describe('an operator of thousands of objects', () => {
  let scenario: Scenario;
  let operator: LocalOperator;
  let admin: LineClient;
  let crowd: Crowd;
  let requests = 0;

  beforeAll(async () => {
    scenario = await startScenario('scale');
    const { kubectl, kubeconfig, namespace } = scenario;
    const namespaces = Array.from({ length: bounded(2, 20) }, (_, index) => `${namespace}-${index}`);
    for (const each of namespaces)
      await ensureNamespace(kubectl, each, { 'tidemark.dev/test': 'true', [testProcess]: String(process.pid) });
    crowd = { namespaces, policies: 100, runsEach: 10 };
    await takeOperatorAway(kubectl);
    operator = await createLocalOperator({ kubectl, kubeconfig });
    operator.proxy.before = () => {
      requests += 1;
      return undefined;
    };
    admin = await clientFromKubeconfig(kubeconfig);
    const begun = Date.now();
    await populate(admin, crowd);
    console.log(`made in ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  }, 900_000);
  afterAll(async () => {
    // With the operator there, since it lets go of finalizers.
    await clear(admin, crowd);
    await operator?.close();
    await admin?.close();
    await giveOperatorBack(scenario.kubectl);
    for (const each of crowd.namespaces)
      await scenario.kubectl.run(['delete', 'namespace', each, '--wait=false', '--ignore-not-found']);
  }, 600_000);

  test('is ready soon, looks at each quickly, and asks for little at rest', async () => {
    explainFailure(scenario);
    const { namespaces, policies, runsEach } = crowd;
    const count = namespaces.length * policies;
    const first = await startUp();
    const firstRequests = requests;
    expect((await reconciles()).errors).toBe(0);
    // The second start finds all as it is: that is an operator's every other start.
    await operator.kill();
    requests = 0;
    const again = await startUp();
    const againRequests = requests;
    const { p99, looks, errors } = await reconciles();
    const memory = await operatorMemory();
    requests = 0;
    const rest = bounded(20, 660);
    await pause(rest * 1000);
    const perMinute = (requests / rest) * 60;
    const memoryAfter = await operatorMemory();
    console.log(
      [
        `${count} policies, ${count * runsEach} runs:`,
        `first start, ready ${first.ready.toFixed(1)} s, all looked at ${first.done.toFixed(1)} s, ${firstRequests} requests;`,
        `second start, ready ${again.ready.toFixed(1)} s, all looked at ${again.done.toFixed(1)} s, ${againRequests} requests;`,
        `${looks} reconciles, p99 at most ${p99} s, ${errors} errors;`,
        `RSS ${mebibytes(memory)} MiB, after ${rest} s of rest ${mebibytes(memoryAfter)} MiB;`,
        `${perMinute.toFixed(0)} requests a minute at rest`,
      ].join(' '),
    );
    expect(looks).toBeGreaterThanOrEqual(count * (runsEach + 1));
    expect(errors).toBe(0);
    expect(again.ready).toBeLessThan(60);
    expect(p99).toBeLessThanOrEqual(0.5);
    expect(Math.max(memory, memoryAfter)).toBeLessThan(600 * 1024 ** 2);
    expect(perMinute).toBeLessThan(600);
  }, 1_800_000);

  /** Seconds until it follows and leads, and until it has looked at everything. */
  async function startUp(): Promise<{ readonly ready: number; readonly done: number }> {
    const begun = Date.now();
    await operator.launch();
    await operator.untilLeading(120);
    await until('the operator to be ready', async () => (await operator.ready()) || undefined, {
      seconds: 120,
      everyMilliseconds: 100,
    });
    const ready = (Date.now() - begun) / 1000;
    const all = crowd.namespaces.length * crowd.policies * (crowd.runsEach + 1);
    await until('the operator to have looked at all', async () => (await reconciles()).looks >= all, {
      seconds: 900,
      everyMilliseconds: 500,
    });
    await comeToRest();
    return { ready, done: (Date.now() - begun) / 1000 };
  }

  /** Beside the word of who leads, nothing is asked any more; the gauges of the queues are a few seconds old. */
  async function comeToRest(): Promise<void> {
    await until(
      'the operator to come to rest',
      async () => {
        const before = requests;
        await pause(5_000);
        return requests - before <= 10;
      },
      { seconds: 900 },
    );
  }

  /** Of the process as it runs now. */
  async function reconciles(): Promise<{ readonly looks: number; readonly p99: number; readonly errors: number }> {
    const text = await operator.metrics();
    const looks = sum(text, /^tidemark_reconcile_seconds_count\{[^}]*\} (\S+)/gm);
    const within = new Map<number, number>();
    for (const [, bound = '', value = ''] of text.matchAll(
      /^tidemark_reconcile_seconds_bucket\{le="([^"]+)"[^}]*\} (\S+)/gm,
    ))
      within.set(
        Number(bound === '+Inf' ? Infinity : bound),
        (within.get(Number(bound === '+Inf' ? Infinity : bound)) ?? 0) + Number(value),
      );
    const [p99 = Infinity] =
      [...within].sort(([one], [other]) => one - other).find(([, value]) => value >= looks * 0.99) ?? [];
    const errors = sum(text, /^tidemark_reconcile_total\{[^}]*result="(?:error|terminal)"[^}]*\} (\S+)/gm);
    return { looks, p99, errors };
  }

  async function operatorMemory(): Promise<number> {
    const status = await readFile(`/proc/${operator.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }
});

function sum(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0);
}
