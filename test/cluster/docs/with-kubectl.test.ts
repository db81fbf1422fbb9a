import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SpareApiServer, startSpareApiServer } from '../../support/cluster/spare-api-server.ts';
import { readPage, root } from '../../support/docs/page.ts';
import { operatorNamespace, release } from '../../support/tidemark/install.ts';
import { type Kubectl, kubectlFor } from '../../support/tidemark/kubectl.ts';
import { createLocalOperator, type LocalOperator } from '../../support/tidemark/local-operator.ts';

const blocks = ['docs/install.md', 'docs/upgrade.md']
  .flatMap((page) => readPage(page).blocks)
  .filter(({ fate }) => fate?.kind === 'test' && fate.test === 'cluster/docs/with-kubectl');

/** On an API server without Tidemark: the cluster of the tests has it from its chart. */
describe('an installation with kubectl alone', () => {
  let server: SpareApiServer;
  let kubectl: Kubectl;
  let operator: LocalOperator | undefined;

  beforeAll(async () => {
    server = await startSpareApiServer();
    kubectl = kubectlFor(server.kubectl, server.kubeconfig);
  });
  afterAll(async () => {
    await operator?.close();
    await server?.stop();
  });

  const follow = async (words: string) => {
    const lines = blocks.find(({ text }) => text.includes(words))?.text.split('\n') ?? [];
    expect(lines).not.toEqual([]);
    for (const line of lines) {
      const [program, ...args] = line.replace(/ +#.*/, '').split(/\s+/);
      expect(program).toBe('kubectl');
      await execa(server.kubectl, ['--kubeconfig', server.kubeconfig, ...args], { cwd: root });
    }
  };
  const deployment = () => kubectl.get('deployment', release, operatorNamespace);

  test('the pages have three blocks for it', () => expect(blocks).toHaveLength(3));

  test('is one command, after which the operator leads with the rights and the settings that it was given', async () => {
    await follow('manifests/install.yaml');
    await kubectl.run(['wait', '--for=condition=established', 'crd', '--all', '--timeout=120s']);
    expect(await kubectl.run(['get', 'backuppolicies', '--all-namespaces'])).toBe('');
    operator = await createLocalOperator({ kubectl, kubeconfig: server.kubeconfig });
    await operator.start();
    expect(await operator.stop()).toBe(0);
  });

  test('takes other images', async () => {
    await follow('set image');
    const spec = JSON.stringify((await deployment())?.spec);
    expect(spec).toContain('"image":"registry.example.com/tidemark/operator:0.1.0"');
    expect(spec).toContain('"value":"registry.example.com/tidemark/agent:0.1.0"');
  });

  test('has its definitions made newer: what an older one prunes without a word is kept afterwards', async () => {
    const crd = 'crd/backupruns.tidemark.dev';
    const hold = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/hold';
    const without = JSON.stringify([{ op: 'remove', path: hold }]);
    await kubectl.run(['patch', crd, '--type=json', '--field-manager=an-older-version', '--patch', without]);
    await expect.poll(heldAsAdmitted, { timeout: 120_000 }).toBeUndefined();
    await follow('--filename crds/');
    await kubectl.run(['wait', '--for=condition=established', 'crd', '--all', '--timeout=120s']);
    await expect.poll(heldAsAdmitted, { timeout: 120_000 }).toBe(true);
  });

  async function heldAsAdmitted(): Promise<unknown> {
    const run = {
      ...{ apiVersion: 'tidemark.dev/v1alpha1', kind: 'BackupRun', metadata: { name: 'held', namespace: 'default' } },
      spec: { policyRef: { name: 'orders' }, method: 'Logical', hold: true },
    };
    const args = ['create', '--dry-run=server', '--validate=ignore', '--output=json', '--filename', '-'];
    return JSON.parse(await kubectl.run(args, { input: JSON.stringify(run) })).spec.hold;
  }
});
