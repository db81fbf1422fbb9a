import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { useKubectl } from './kubectl.ts';
import { policy, run } from './objects.ts';

const world = useKubectl();
const complete = async (...words: readonly string[]) => (await world.kubectl(['__complete', '--', ...words])).out;

describe('completion', () => {
  test.each([
    [['re'], 'recover\nrelease\nreport\nrestore\n:4\n'],
    [['status', '--all'], '--all-namespaces\n:4\n'],
    [['timeline', 'orders', '-o', ''], 'html\njson\nsvg\nyaml\n:4\n'],
    [['completion', 'z'], 'zsh\n:4\n'],
    [['nonsense', ''], expect.stringMatching(/^backup\n/)],
  ])('of %j', async (words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });

  test('knows the names of policies and runs, in the namespace that was typed', async () => {
    world.cluster.put(policy(), policy({}, {}, 'other'), run('orders-base', '2026-11-15T00:15:00Z'));
    expect(await complete('backup', 'or')).toBe('orders\n:4\n');
    expect(await complete('hold', '')).toBe('orders-base\n:4\n');
    expect(await complete('restore', '--latest', 'ot')).toBe('other\n:4\n');
    expect(await complete('backup', '-n', 'empty', '')).toBe(':4\n');
  });

  test('says nothing where there is no cluster', async () => {
    await world.cluster.close();
    expect(await world.kubectl(['__complete', '--', 'backup', ''])).toMatchObject({ code: 0, out: ':4\n', err: '' });
  });

  test('the scripts are right for their shells', async () => {
    for (const [shell, file] of [
      ['bash', 'bash'],
      ['kubectl', 'sh'],
    ] as const) {
      const { out } = await world.kubectl(`completion ${shell}`);
      await execa(file, ['-n'], { input: out });
    }
    expect((await world.kubectl('completion tcsh')).code).toBe(2);
  });

  test('bash fills in what the program says', async () => {
    const { out } = await world.kubectl('completion bash');
    const script = `${out}
kubectl-tidemark() { printf 'orders\\n:4\\n'; }
COMP_WORDS=(kubectl-tidemark backup or); COMP_CWORD=2
_kubectl_tidemark
echo "\${COMPREPLY[@]}"`;
    expect((await execa('bash', { input: script })).stdout).toBe('orders');
  });
});

test('every command has a description, and its help exits 0', async () => {
  const { out, code } = await world.kubectl('--help');
  expect(code).toBe(0);
  const commands = [...out.matchAll(/^ {2}([a-z]+) \[?/gm)].map(([, name = '']) => name);
  expect(commands).toEqual([
    ...[
      'status',
      'doctor',
      'timeline',
      'runs',
      'report',
      'backup',
      'restore',
      'recover',
      'drill',
      'logs',
      'hold',
      'release',
    ],
    ...['cancel', 'completion', 'help'],
  ]);
  for (const name of commands.slice(0, -1)) {
    const help = await world.kubectl(`${name} --help`);
    expect(help).toMatchObject({ code: 0, err: '' });
    expect(help.out).toMatch(/^Usage: kubectl-tidemark /);
  }
});
