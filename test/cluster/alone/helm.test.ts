import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { operatorNamespace, release } from '../../support/tidemark/install.ts';
import { startPortForward } from '../../support/tidemark/port-forward.ts';
import { type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

describe('the chart, installed', () => {
  let scenario: Scenario;

  beforeAll(async () => {
    scenario = await startScenario('helm');
  });

  test('passes its own helm test', async () => {
    const args = ['--kubeconfig', scenario.kubeconfig, '--namespace', operatorNamespace, 'test', release];
    const { stdout } = await execa(scenario.helm, args);
    expect(stdout).toContain('Phase:          Succeeded');
  });

  test('serves metrics, liveness and readiness', async () => {
    const forward = await startPortForward(scenario.kubectl, operatorNamespace, `deployment/${release}`, 8080);
    try {
      const ask = async (path: string) => await fetch(`http://127.0.0.1:${forward.port}${path}`);
      expect((await ask('/readyz')).status).toBe(200);
      expect((await ask('/livez')).status).toBe(200);
      expect(await (await ask('/metrics')).text()).toMatch(
        /^tidemark_reconcile_total|^# HELP tidemark_reconcile_total/m,
      );
    } finally {
      await forward.stop();
    }
  });
});
