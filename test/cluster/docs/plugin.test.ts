import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheFolder } from '../../support/cache.ts';
import { ensureCluster } from '../../support/cluster/cluster.ts';
import { readPage, root } from '../../support/docs/page.ts';
import { ensureKrew } from '../../support/krew/program.ts';
import { logicalPolicy } from '../../support/tidemark/policy.ts';
import { type Scenario, startScenario } from '../../support/tidemark/scenario.ts';

const own = readPage('docs/kubectl.md').blocks.filter(
  ({ fate }) => fate?.kind === 'test' && fate.test === 'cluster/docs/plugin',
);

/** What docs/kubectl.md says about installing, in a home and a checkout of the reader's own, with a real kubectl and a real krew. */
describe('the plugin, installed as its page says', () => {
  let scenario: Scenario;
  let home: string;
  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    scenario = await startScenario('plugin');
    const { kubectl } = await ensureCluster({ log: () => undefined });
    await scenario.apply(logicalPolicy(scenario.namespace, { suspend: true }));
    home = await mkdtemp(join(tmpdir(), 'tidemark-plugin-'));
    const programs = join(home, 'programs');
    await Promise.all([mkdir(programs), mkdir(join(home, '.kube')), mkdir(join(home, 'checkout'))]);
    await symlink(kubectl, join(programs, 'kubectl'));
    await symlink(await ensureKrew(() => undefined), join(programs, 'kubectl-krew'));
    for (const part of [
      'package.json',
      'package-lock.json',
      'LICENSE',
      'src',
      'images',
      'manifests/krew',
      'test/support',
    ])
      await cp(join(root, part), join(home, 'checkout', part), { recursive: true });
    await symlink(join(root, 'node_modules'), join(home, 'checkout/node_modules'));
    await cp(scenario.kubeconfig, join(home, '.kube/config'));
    env = {
      HOME: home,
      PATH: `${home}/.local/bin:${home}/.krew/bin:${programs}:${process.env.PATH}`,
      // krew asks now and then whether it is the newest.
      KREW_NO_UPGRADE_CHECK: '1',
      // Where the tests keep the licences.
      TIDEMARK_CACHE: cacheFolder(),
      KUBECONFIG: join(home, '.kube/config'),
    };
    await shell(`kubectl config set-context --current --namespace ${scenario.namespace}`);
  }, 600_000);
  afterAll(async () => {
    if (home !== undefined) await rm(home, { recursive: true, force: true });
  });

  const shell = async (script: string) =>
    (await execa('sh', ['-euc', script], { cwd: join(home, 'checkout'), env, timeout: 240_000 })).stdout;
  const follow = async (words: string) => {
    const block = own.find(({ text }) => text.includes(words));
    return await shell(block?.text ?? 'exit 1');
  };
  const policies = { metadata: { name: 'orders' } };

  test('the page has three blocks for it', () => expect(own).toHaveLength(3));

  test('by hand', async () => {
    await follow('npm run build');
    expect(await shell('command -v kubectl-tidemark')).toBe(join(home, '.local/bin/kubectl-tidemark'));
    expect(JSON.parse(await shell('kubectl tidemark status -o json'))).toMatchObject({ items: [policies] });
  });

  test('kubectl completes it with the names of the cluster', async () => {
    await follow('completion kubectl');
    expect(await shell("kubectl __complete tidemark 'recov'")).toMatch(/^recover\n:4/);
    // A person at a TAB waits two seconds for names, and none come when the cluster is slower than that.
    const names = () => shell("kubectl __complete tidemark backup 'or'");
    await expect.poll(names, { timeout: 120_000 }).toMatch(/^orders\n:4/);
  });

  test('by krew', async () => {
    await shell('rm ~/.local/bin/kubectl-tidemark');
    await follow('kubectl krew install');
    expect(await shell('command -v kubectl-tidemark')).toBe(join(home, '.krew/bin/kubectl-tidemark'));
    expect(JSON.parse(await shell('kubectl tidemark status -o json'))).toMatchObject({ items: [policies] });
  });
});
