import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { documents } from '../../support/chart/render.ts';
import { type SpareApiServer, startSpareApiServer } from '../../support/cluster/spare-api-server.ts';
import { ensureTool } from '../../support/cluster/tools.ts';
import { allPages, root } from '../../support/docs/page.ts';
import { prometheusOperatorDefinitions } from '../../support/prometheus-operator.ts';
import { operatorNamespace, release } from '../../support/tidemark/install.ts';
import { type Kubectl, kubectlFor } from '../../support/tidemark/kubectl.ts';

const blocks = allPages()
  .flatMap((page) => page.blocks)
  .filter(({ fate }) => fate?.kind === 'test' && fate.test === 'cluster/docs/helm');

/**
 * What names images of a registry that is an example: no pod of it can start, here or anywhere. So it is installed into an
 * API server that has no nodes, by the real Helm, which does not wait for pods unless it is told; and what is there is looked at.
 * What the cluster can run is typed there (test/cluster/alone/docs.test.ts).
 */
describe('what the pages have Helm do with images of an example', () => {
  let server: SpareApiServer;
  let kubectl: Kubectl;
  let folder: string;

  beforeAll(async () => {
    server = await startSpareApiServer();
    kubectl = kubectlFor(server.kubectl, server.kubeconfig);
    folder = await mkdtemp(join(tmpdir(), 'tidemark-helm-'));
    const helm = await ensureTool('helm', { log: () => undefined });
    // Helm's releases are told at their build for which Kubernetes they render where they ask none; one from its module is not.
    const told = `#!/bin/sh\nif [ "$1" = template ]; then set -- "$@" --kube-version v1.34.1; fi\nexec '${helm}' "$@"\n`;
    await writeFile(join(folder, 'helm'), told, { mode: 0o755 });
    await symlink(server.kubectl, join(folder, 'kubectl'));
  });
  afterAll(async () => {
    await server?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const shell = async (script: string) => {
    const env = { PATH: `${folder}:${process.env.PATH}`, KUBECONFIG: server.kubeconfig };
    return (await execa('sh', ['-euc', script], { cwd: root, env, timeout: 120_000 })).stdout;
  };
  const blockWith = (words: string) => blocks.find(({ text }) => text.includes(words))?.text ?? 'exit 1';
  const deployment = () => kubectl.get('deployment', release, operatorNamespace);
  const kept = (kind: string) => kubectl.list(kind, operatorNamespace, `app.kubernetes.io/instance=${release}`);

  test('there are two blocks of it', () => expect(blocks).toHaveLength(2));

  test('docs/install.md: a release with images of yours', async () => {
    await shell(blockWith('helm install'));
    const [found] = JSON.parse(await shell(`helm --namespace ${operatorNamespace} list --output json`));
    expect(found).toMatchObject({ name: release, status: 'deployed', chart: expect.stringMatching(/^tidemark-/) });
    const spec = JSON.stringify((await deployment())?.spec);
    expect(spec).toContain('"image":"example/tidemark-operator:0.1.0"');
    expect(spec).toContain('"value":"example/tidemark-agent:0.1.0"');
    await kubectl.run(['wait', '--for=condition=established', 'crd', '--all', '--timeout=120s']);
    expect(await kubectl.run(['get', 'backuppolicies', '--all-namespaces'])).toBe('');
  });

  describe('docs/gitops.md: the values of a cluster', () => {
    const [production = '', staging = ''] = blockWith('helm template').split('\n');
    const apply = async (line: string) => {
      // The pod of `helm test` is Helm's alone: other tools leave it out.
      const items = documents(await shell(line)).filter(({ metadata }) => !metadata.annotations?.['helm.sh/hook']);
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
      await kubectl.run(['apply', '--server-side', '--filename', '-'], { input });
      return items;
    };

    beforeAll(async () => {
      await shell(`helm uninstall ${release} --namespace ${operatorNamespace} --ignore-not-found`);
      const namespaces = ['shop', 'billing', operatorNamespace].map((name) => ({
        ...{ apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
      }));
      await kubectl.apply(namespaces);
      const files = (await prometheusOperatorDefinitions()).flatMap((file) => ['--filename', file]);
      await kubectl.run(['apply', '--server-side', ...files]);
      await kubectl.run(['wait', '--for=condition=established', 'crd', '--all', '--timeout=120s']);
    });

    test('production: images that cannot move, and a NetworkPolicy', async () => {
      await apply(production);
      const spec = JSON.stringify((await deployment())?.spec);
      expect(spec).toMatch(/"image":"registry\.example\.com\/tidemark\/operator:0\.1\.0@sha256:0{64}"/);
      expect(await kept('networkpolicies')).toHaveLength(1);
      for (const kind of ['servicemonitors', 'prometheusrules']) expect(await kept(kind)).toHaveLength(1);
    });

    test('staging: two namespaces, and no right outside of them', async () => {
      const made = await apply(staging);
      expect((await deployment())?.spec).toMatchObject({ replicas: 1 });
      for (const namespace of ['shop', 'billing'])
        expect(await kubectl.list('roles', namespace, `app.kubernetes.io/instance=${release}`)).not.toEqual([]);
      expect(made.filter(({ kind }) => /^Cluster|^NetworkPolicy/.test(kind))).toEqual([]);
    });
  });
});
