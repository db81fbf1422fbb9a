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

  // As docs/ui.md says it.
  test('serves the web page to who may port-forward, and to no other pod or proxy', async () => {
    const { kubectl } = scenario;
    const forward = await startPortForward(kubectl, operatorNamespace, `deployment/${release}`, 8081);
    try {
      const page = await fetch(`http://localhost:${forward.port}/ui`);
      expect(page.status).toBe(200);
      expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(await page.text()).toMatch(/<h1>.*(policies|policy)/s);
    } finally {
      await forward.stop();
    }
    const [pod] = await kubectl.list(
      'pods',
      operatorNamespace,
      `app.kubernetes.io/instance=${release},app.kubernetes.io/name=tidemark`,
    );
    const ask = (port: number, path: string) =>
      kubectl.run([
        'get',
        '--raw',
        `/api/v1/namespaces/${operatorNamespace}/pods/${pod?.metadata.name}:${port}/proxy/${path}`,
      ]);
    expect(await ask(8080, 'livez')).toContain('ok');
    await expect(ask(8081, 'ui')).rejects.toThrow();
  });
});
