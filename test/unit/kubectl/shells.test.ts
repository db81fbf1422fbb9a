import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readPage, root } from '../../support/docs/page.ts';

const blocks = readPage('docs/kubectl.md').blocks.filter(
  ({ fate }) => fate?.kind === 'test' && fate.test === 'unit/kubectl/shells',
);
const shells: Readonly<Record<string, string>> = {
  bash: 'bash --noprofile --norc -i',
  zsh: 'zsh -f -i',
  fish: 'fish --no-config --interactive',
};
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-shells-'));
  // The program says what a word may become; the line that comes of it is kept and not done.
  const program = `#!/bin/sh
case "$1" in
  completion | __complete) exec '${process.execPath}' '${join(root, 'src/cmd/kubectl-tidemark.ts')}' "$@" ;;
  *) echo "$@" >>'${folder}/typed' ;;
esac
`;
  await writeFile(join(folder, 'kubectl-tidemark'), program, { mode: 0o755 });
});
beforeEach(() => rm(join(folder, 'typed'), { force: true }));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('docs/kubectl.md has each of these shells', () =>
  expect(blocks.map(({ language }) => language)).toEqual(Object.keys(shells)));

/** Which names there are in the cluster, the program is asked in completion.test.ts. */
test.each(blocks.map((block) => [block.language, block.text] as const))(
  '%s on a terminal completes commands and values of options at a TAB, as the page sets it up',
  async (shell, setUp) => {
    const keys = `${setUp}\nkubectl-tidemark timel\torders -o sv\t\nkubectl-tidemark relea\t--namesp\tshop\nexit\n`;
    const { all } = await execa('script', ['--quiet', '--return', '--command', shells[shell] ?? '', '/dev/null'], {
      input: keys,
      cwd: folder,
      extendEnv: false,
      env: {
        ...{ PATH: `${folder}:/usr/bin:/bin`, HOME: folder, TERM: 'xterm', LANG: 'C.UTF-8' },
        // Else fish makes a folder of its own in /tmp.
        XDG_RUNTIME_DIR: folder,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(folder, 'compiled'),
      },
      all: true,
      timeout: 120_000,
    });
    const typed = await readFile(join(folder, 'typed'), 'utf8').catch(() => all);
    expect(typed).toBe('timeline orders -o svg\nrelease --namespace shop\n');
  },
  150_000,
);
