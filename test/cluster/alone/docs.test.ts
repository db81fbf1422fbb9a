import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureCluster } from '../../support/cluster/cluster.ts';
import { allPages, root } from '../../support/docs/page.ts';
import { prometheusOperatorDefinitions } from '../../support/prometheus-operator.ts';
import { imageValues, installTidemark, operatorNamespace, release } from '../../support/tidemark/install.ts';
import { type Scenario, startScenario } from '../../support/tidemark/scenario.ts';
import { until } from '../../support/tidemark/until.ts';

const blocks = allPages()
  .flatMap((page) => page.blocks)
  .filter(({ fate }) => fate?.kind === 'test' && fate.test === 'cluster/alone/docs');

/** The release of the cluster goes, and comes as README.md says; the other pages go on from there. */
describe('an installation with Helm', () => {
  let scenario: Scenario;
  let folder: string;
  let definitions: readonly string[] = [];

  beforeAll(async () => {
    scenario = await startScenario('release');
    folder = await mkdtemp(join(tmpdir(), 'tidemark-release-'));
    const { kubectl } = await ensureCluster({ log: () => undefined });
    await symlink(kubectl, join(folder, 'kubectl'));
    // The images of README.md are in no registry: helm install, as it is typed, is given those of the tests besides.
    const images = (['operator', 'agent'] as const).flatMap((each) => imageValues(each, scenario.images[each] ?? ''));
    const besides = images.map((value) => `--set ${value}`).join(' ');
    const given = `#!/bin/sh\nif [ "$1" = install ]; then set -- "$@" ${besides}; fi\nexec '${scenario.helm}' "$@"\n`;
    await writeFile(join(folder, 'helm'), given, { mode: 0o755 });
    await uninstall();
  });
  // As the other tests have it, whatever became of this one.
  afterAll(async () => {
    if (folder === undefined) return;
    await uninstall();
    await installTidemark({ ...scenario, log: () => undefined, values: ['ui.enabled=true'] });
    const files = definitions.flatMap((file) => ['--filename', file]);
    if (files.length > 0) await scenario.kubectl.run(['delete', '--ignore-not-found', ...files]);
    await rm(folder, { recursive: true, force: true });
  });

  const environment = () => ({ PATH: `${folder}:${process.env.PATH}`, KUBECONFIG: scenario.kubeconfig });
  const shell = async (script: string) =>
    (await execa('sh', ['-euc', script], { cwd: root, env: environment(), timeout: 280_000 })).stdout;
  const uninstall = () =>
    shell(`helm uninstall ${release} --namespace ${operatorNamespace} --ignore-not-found --wait --timeout 120s`);
  const blockWith = (words: string) => blocks.find(({ text }) => text.includes(words))?.text ?? 'exit 1';
  const rolledOut = () =>
    scenario.kubectl.run(['rollout', 'status', `deployment/${release}`, '--timeout=180s'], {
      namespace: operatorNamespace,
      timeoutSeconds: 190,
    });

  test('there are four blocks of it', () => expect(blocks).toHaveLength(4));

  test('README.md: is there after one command, and passes its own test', async () => {
    const [install = '', ask = ''] = blockWith('helm install').split('\n');
    await shell(install);
    await rolledOut();
    expect(await shell(ask)).toContain('Phase:          Succeeded');
  });

  test('docs/metrics.md: the Prometheus operator gets its objects, which its own definitions take', async () => {
    definitions = await prometheusOperatorDefinitions();
    await scenario.kubectl.run(['apply', '--server-side', ...definitions.flatMap((file) => ['--filename', file])]);
    await scenario.kubectl.run(['wait', '--for=condition=established', 'crd', '--all', '--timeout=120s']);
    await shell(blockWith('metrics.serviceMonitor.enabled'));
    const kept = (kind: string) =>
      scenario.kubectl.list(kind, operatorNamespace, `app.kubernetes.io/instance=${release}`);
    expect(await kept('servicemonitors')).toHaveLength(1);
    expect(await kept('prometheusrules')).toHaveLength(1);
    expect(await scenario.kubectl.list('configmaps', operatorNamespace, 'grafana_dashboard=1')).toHaveLength(1);
    await rolledOut();
  });

  test('docs/ui.md: the page is turned on, and comes through a port-forward', async () => {
    await shell(blockWith('ui.enabled=true'));
    await rolledOut();
    const forward = execa('sh', ['-euc', `exec ${blockWith('port-forward')}`], {
      ...{ cwd: root, env: environment(), reject: false },
    });
    try {
      const page = await until('the page', async () => {
        const answer = await fetch('http://localhost:8081/ui').catch(() => undefined);
        return answer?.status === 200 && (await answer.text());
      });
      expect(page).toMatch(/<h1>.*(policies|policy)/s);
    } finally {
      forward.kill('SIGTERM');
      await forward;
    }
  });
});
