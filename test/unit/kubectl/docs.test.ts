import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exitCode } from '../../../src/kubectl/exit-code.ts';
import { useKubectl } from './kubectl.ts';
import { policy, recovery, repository, run } from './objects.ts';

const world = useKubectl();
const root = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Words as a shell makes them of a line, up to a comment or what it redirects. */
function wordsOf(line: string): readonly string[] {
  const found = [...line.matchAll(/'([^']*)'|"([^"]*)"|[^\s'"]+/g)];
  const end = found.findIndex(([word]) => /^[#>|&]/.test(word));
  return found.slice(0, end === -1 ? undefined : end).map((match) => match[1] ?? match[2] ?? match[0]);
}

const lines = ['README.md', 'docs/kubectl.md'].flatMap((page) =>
  [...read(page).matchAll(/^kubectl[ -]tidemark (.*)$/gm)].map(([, line = '']) => line),
);

test('there are commands in the documentation', () => expect(lines.length).toBeGreaterThan(25));

test.each(lines)('kubectl tidemark %s is a command that does what it says', async (line) => {
  const size = [{ spec: { resources: { requests: { storage: '20Gi' } } } }];
  world.cluster.put(
    policy(),
    repository(),
    run('orders-manual-c4d9f', '2026-11-20T03:00:00Z', { status: { jobName: 'job' } }),
    run('orders-nightly-29378580', '2026-11-20T03:00:00Z', { spec: { method: 'Logical' } }),
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'shop', labels: {} }, spec: { containers: [] } },
    recovery('before-the-delete', { reached: { time: '2026-11-20T02:00:00Z' } }),
    {
      ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'orders-db', namespace: 'shop' } },
      spec: { volumeClaimTemplates: size },
    },
  );
  world.cluster.react = (made) => [{ ...made, status: { phase: 'Completed' } }];
  const { code, err } = await world.kubectl(wordsOf(line), { answer: true });
  // What has ended cannot be cancelled, and this cluster has little that a policy needs.
  const fails = /^(cancel|doctor)/.test(line);
  expect({ code, err }).toEqual({
    code: fails ? exitCode.failed : exitCode.done,
    err: expect.not.stringContaining('Error'),
  });
});

test('every exit code is documented', () => {
  const documented = [...read('docs/kubectl.md').matchAll(/^\| ([0-9]+) \|/gm)].map(([, code]) => Number(code));
  expect(documented).toEqual(Object.values(exitCode));
});

test('every command is documented', async () => {
  const { out } = await world.kubectl('--help');
  const commands = [...out.matchAll(/^ {2}([a-z]+) [[<]/gm)].map(([, name = '']) => name);
  expect(commands.length).toBeGreaterThan(12);
  const page = read('docs/kubectl.md');
  for (const name of commands.filter((each) => each !== 'help'))
    expect(page).toMatch(new RegExp(`kubectl[ -]tidemark ${name}`));
});
