import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ListingServer } from '../../support/ui/listing-server.ts';
import { world } from '../../support/ui/world.ts';

let cluster: ListingServer;
let folder: string;
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  const { policies, runs } = world();
  cluster = await ListingServer.start({ backuppolicies: policies, backupruns: runs });
  folder = await mkdtemp(join(tmpdir(), 'tidemark-operator-'));
  const kubeconfig = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'it' },
    clusters: [{ name: 'it', cluster: { server: cluster.url, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'it', user: {} }],
    contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
  };
  await writeFile(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await cluster.close();
  await rm(folder, { recursive: true, force: true });
});

/** The program as the image runs it, until it says at which ports it listens. */
async function startOperator(variables: Readonly<Record<string, string>>): Promise<{ readonly uiPort?: number }> {
  const operator = execa('node', ['src/cmd/operator.ts'], {
    env: {
      KUBECONFIG: join(folder, 'kubeconfig'),
      TIDEMARK_AGENT_IMAGE: 'agent:1',
      TIDEMARK_HTTP_PORT: '0',
      ...variables,
    },
    reject: false,
    buffer: false,
  });
  ends.push(async () => {
    operator.kill('SIGTERM');
    await operator;
  });
  for await (const line of createInterface({ input: operator.stdout })) {
    const said = JSON.parse(line) as { readonly msg: string; readonly uiPort?: number };
    operator.stdout.resume();
    if (said.msg === 'Started') return said;
  }
  throw new Error('the operator ended at once');
}

test('the operator serves the page when it is told to, on 127.0.0.1 alone, and as one that follows', async () => {
  const { uiPort } = await startOperator({
    TIDEMARK_UI: 'true',
    TIDEMARK_UI_PORT: '0',
    TIDEMARK_POD_NAME: 'tidemark-0',
  });
  const page = () => fetch(`http://localhost:${uiPort}/ui`).then((answer) => answer.text());
  await expect.poll(page, { timeout: 120_000 }).toMatch(/[0-9]+ of 12 policies/);
  expect(await page()).toContain('replica tidemark-0, which follows');
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal);
  for (const { address } of others)
    await expect(fetch(`http://${address}:${uiPort}/ui`)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
});

test('and not unless', async () => {
  expect(await startOperator({})).not.toHaveProperty('uiPort');
});
