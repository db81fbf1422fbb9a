import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureCluster } from '../support/cluster/cluster.ts';
import { readPage, root } from '../support/docs/page.ts';
import { isAllowed, serviceAccountOf } from '../support/tidemark/access-review.ts';
import { installTidemark } from '../support/tidemark/install.ts';
import { backupRun, logicalPolicy } from '../support/tidemark/policy.ts';
import { startPortForward } from '../support/tidemark/port-forward.ts';
import { explainFailure, type Scenario, startScenario } from '../support/tidemark/scenario.ts';
import { until } from '../support/tidemark/until.ts';

/** A second operator in a namespace of its own, beside the one that serves them all. */
describe('an operator that serves the namespaces of watchNamespaces alone', () => {
  const release = 'few';
  let home: Scenario;
  let watched: Scenario;
  let operator: string;

  beforeAll(async () => {
    [home, watched] = await Promise.all([startScenario('few'), startScenario('watched')]);
    operator = serviceAccountOf(home.namespace, `${release}-tidemark`);
    await installTidemark({
      ...home,
      log: () => undefined,
      values: [`watchNamespaces={${watched.namespace}}`, 'crds.enabled=false', 'operator.replicas=1'],
      as: { release, namespace: home.namespace },
    });
  });

  test('has rights there, and in no other namespace', async () => {
    const { kubectl } = home;
    const jobs = { verb: 'create', group: 'batch', resource: 'jobs' };
    expect(await isAllowed(kubectl, operator, { namespace: watched.namespace, ...jobs })).toBe(true);
    expect(await isAllowed(kubectl, operator, { namespace: home.namespace, ...jobs })).toBe(false);
    const policies = { verb: 'list', group: 'tidemark.dev', resource: 'backuppolicies' };
    expect(await isAllowed(kubectl, operator, { namespace: watched.namespace, ...policies })).toBe(true);
    expect(await isAllowed(kubectl, operator, policies)).toBe(false);
  });

  test('needs no ClusterRole', async () => {
    const selector = `app.kubernetes.io/instance=${release}`;
    expect(await home.kubectl.list('clusterroles,clusterrolebindings', undefined, selector)).toEqual([]);
    // The operator's, the agent's, and the one for commands in pods, which is bound to nobody.
    expect(await home.kubectl.list('roles', watched.namespace, selector)).toHaveLength(3);
  });

  test('knows the runs there, and of no other namespace', async () => {
    explainFailure(watched);
    await Promise.all([failOneRun(home), failOneRun(watched)]);
    const failureIn = ({ namespace }: Scenario) =>
      new RegExp(`^tidemark_last_failure_timestamp_seconds\\{[^}]*namespace="${namespace}"`, 'm');
    const metrics = await until('the run among the metrics', async () => {
      const text = await readMetrics();
      return failureIn(watched).test(text) && text;
    });
    expect(metrics).not.toMatch(failureIn(home));
  });

  describe('docs/upgrade.md', () => {
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'tidemark-upgrade-'));
      const chart = join(folder, 'charts/tidemark');
      await cp(join(root, 'charts/tidemark'), chart, { recursive: true });
      await change(join(chart, 'Chart.yaml'), (text) => text.replace(/^version: .*$/m, 'version: 0.2.0'));
      await change(join(chart, 'values.yaml'), (text) => text.replace('logLevel: info', 'logLevel: debug'));
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    test('upgrades to a newer chart: its new defaults are taken, what was set is kept', async () => {
      expect(await installed()).toMatchObject({ chart: 'tidemark-0.1.0', level: 'info', watched: watched.namespace });
      await follow(folder, 'helm upgrade');
      expect(await installed()).toMatchObject({ chart: 'tidemark-0.2.0', level: 'debug', watched: watched.namespace });
      expect(await readMetrics()).toContain('tidemark_');
    });

    test('goes back', async () => {
      await follow(folder, 'helm rollback');
      expect(await installed()).toMatchObject({ chart: 'tidemark-0.1.0', level: 'info', watched: watched.namespace });
    });
  });

  /** A block of the page, for this release in the place of the one that all tests share. */
  async function follow(folder: string, words: string): Promise<void> {
    const block = readPage('docs/upgrade.md').blocks.find(({ text }) => text.includes(words));
    const script = (block?.text ?? 'exit 1')
      .replaceAll('deployment/tidemark', `deployment/${release}-tidemark`)
      .replaceAll('tidemark-system', home.namespace)
      .replaceAll(/(helm \w+) tidemark/g, `$1 ${release}`);
    const { kubectl } = await ensureCluster({ log: () => undefined });
    const PATH = `${dirname(kubectl)}:${dirname(home.helm)}:${process.env.PATH}`;
    await execa('sh', ['-euc', script], { cwd: folder, env: { PATH, KUBECONFIG: home.kubeconfig }, timeout: 240_000 });
  }

  async function installed(): Promise<Readonly<Record<'chart' | 'level' | 'watched', string | undefined>>> {
    const args = ['--kubeconfig', home.kubeconfig, '--namespace', home.namespace, 'list', '--output', 'json'];
    const [found] = JSON.parse((await execa(home.helm, args)).stdout) as readonly { readonly chart: string }[];
    const deployment = await home.kubectl.get('deployment', `${release}-tidemark`, home.namespace);
    const set = (name: string) =>
      new RegExp(`"name":"${name}","value":"([^"]*)"`).exec(JSON.stringify(deployment?.spec))?.[1];
    return { chart: found?.chart, level: set('TIDEMARK_LOG_LEVEL'), watched: set('TIDEMARK_WATCH_NAMESPACES') };
  }

  /** The account exists in every namespace, and is not marked for Tidemark's Jobs: refused without a Job. */
  async function failOneRun({ namespace, apply, repositoryObjects, finished }: Scenario): Promise<void> {
    const source = { host: 'db.example.invalid', credentialsSecretRef: { name: 'nowhere' } };
    const policy = logicalPolicy(namespace, { source, jobTemplate: { serviceAccountName: 'default' } });
    await apply(...repositoryObjects(), policy, backupRun(namespace, 'refused'));
    expect((await finished('backuprun', 'refused')).status).toMatchObject({ phase: 'Failed' });
  }

  async function readMetrics(): Promise<string> {
    const forward = await startPortForward(home.kubectl, home.namespace, `service/${release}-tidemark`, 8080);
    try {
      const answer = await fetch(`http://127.0.0.1:${forward.port}/metrics`);
      return await answer.text();
    } finally {
      await forward.stop();
    }
  }
});

async function change(path: string, by: (text: string) => string): Promise<void> {
  const text = await readFile(path, 'utf8');
  const changed = by(text);
  expect(changed).not.toBe(text);
  await writeFile(path, changed);
}
