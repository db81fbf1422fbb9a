import { execa } from 'execa';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { demoNamespace, s3Namespace } from '../demo/demo-state.ts';
import { ensureCluster } from '../support/cluster/cluster.ts';
import { readPage, root } from '../support/docs/page.ts';
import { describeNamespace } from '../support/tidemark/describe-namespace.ts';
import { type Kubectl, kubectlFor } from '../support/tidemark/kubectl.ts';

let kubectl: Kubectl;
/** Somebody's own demo, of before this run, stays. */
let wasThere: boolean;

beforeAll(async () => {
  const { kubectl: program } = await ensureCluster({ log: () => undefined });
  kubectl = kubectlFor(program, inject('environment').kubeconfig);
  wasThere = (await kubectl.get('namespace', demoNamespace)) !== undefined;
});
afterAll(async () => {
  if (wasThere === false)
    await kubectl.run(['delete', 'namespace', demoNamespace, s3Namespace, '--wait=false', '--ignore-not-found']);
});

test('the demo, as README.md has it typed, loses data twice and has every row again', async () => {
  const [block] = readPage('README.md').blocks.filter(
    ({ fate }) => fate?.kind === 'test' && fate.test === 'cluster/demo',
  );
  const { exitCode, all } = await execa('sh', ['-euc', block?.text ?? 'exit 1'], {
    ...{ cwd: root, all: true, reject: false, timeout: 840_000 },
    env: { CI: 'true', NO_COLOR: '1' },
  });
  const state = exitCode === 0 ? '' : await describeNamespace(kubectl, demoNamespace);
  expect(exitCode, `${all}\n${state}`).toBe(0);
  expect(all).toMatch(/^Compared +[0-9,]{7,} rows and large objects: all as before$/m);
  expect(all).toMatch(/^Compared +[0-9,]{7,} rows and large objects: all as at that moment$/m);
}, 900_000);
