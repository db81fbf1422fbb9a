import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { allPages, type Block, blocksOf, isCommand, root } from '../../support/docs/page.ts';

const pages = allPages();

it.each(pages.map(({ path, blocks }) => [path, blocks] as const))(
  '%s has no command that nobody has tried',
  (_, blocks) => {
    expect(blocks.filter(isCommand).flatMap(complaint)).toEqual([]);
  },
);

const commands = pages.flatMap(({ blocks }) => blocks.filter(isCommand));
const run = commands.filter(({ fate }) => fate?.kind === 'test' || fate?.kind === 'script');

it(`${run.length} of ${commands.length} blocks of commands are run`, () => {
  expect(commands.length).toBeGreaterThan(50);
  expect(run).toHaveLength(commands.length);
});

it('every block that a test runs is one that a shell can read', async () => {
  const scripts = pages.flatMap(({ blocks }) => blocks.filter(({ fate }) => fate?.kind === 'test'));
  for (const { language, text } of scripts)
    await execa(['bash', 'zsh', 'fish'].includes(language) ? language : 'sh', ['-n', '-c', text]);
});

it('a block without a word on it, with the name of no test, or of one that does not know the page, is found', () => {
  const complaints = (markdown: string) => blocksOf('docs/policies.md', markdown).flatMap(complaint);
  expect(complaints('```\nkubectl get pods\n```')).toHaveLength(1);
  expect(complaints('<!-- test: cluster/docs/nowhere -->\n```\nkubectl get pods\n```')).toHaveLength(1);
  expect(complaints('<!-- test: unit/docs/errors -->\n```\nkubectl get pods\n```')).toHaveLength(1);
  expect(complaints('<!-- not applied: it needs what we have not -->\n```\nkubectl get pods\n```')).toHaveLength(1);
  expect(complaints('<!-- script: .ci/run -->\n```\nnpm run nothing\n```')).toHaveLength(1);
  expect(complaints('<!-- script: .ci/run -->\n```\nnpm test   # all\n```')).toEqual([]);
  expect(complaints('<!-- commands: cluster/docs/pages -->\n\n```\nkubectl get pods\n```')).toEqual([]);
});

function complaint({ page, heading, text, fate }: Block): readonly string[] {
  const where = `${page}, "${heading}": ${text.split('\n')[0]}`;
  if (fate === undefined || fate.kind === 'not applied')
    return [
      `${where}\nSay above the block which test runs it (<!-- test: cluster/docs/pages -->), or which file (<!-- script: .ci/run -->); make it \`\`\`text if nobody types it.`,
    ];
  if (fate.kind === 'script') {
    const scripts = fate.files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
    const lines = text.split('\n').map((line) => line.replace(/ *#.*/, ''));
    return lines.filter((line) => !scripts.includes(line)).map((line) => `${where}\nNothing runs "${line}".`);
  }
  const file = join(root, 'test', `${fate.test}.test.ts`);
  if (!existsSync(file)) return [`${where}\ntest/${fate.test}.test.ts does not exist.`];
  const knows = readFileSync(file, 'utf8').match(new RegExp(`${basename(page)}|allPages`));
  return knows === null ? [`${where}\ntest/${fate.test}.test.ts does not read ${page}.`] : [];
}
