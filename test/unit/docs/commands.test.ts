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

it('only few commands are not run', () => {
  const commands = pages.flatMap(({ blocks }) => blocks.filter(isCommand));
  const unrun = commands.filter(({ fate }) => fate?.kind !== 'test');
  expect(commands.length).toBeGreaterThan(50);
  expect(unrun.length / commands.length).toBeLessThan(0.2);
});

it('every block that a test runs is one that a shell can read', async () => {
  const scripts = pages.flatMap(({ blocks }) => blocks.filter(({ fate }) => fate?.kind === 'test'));
  for (const { language, text } of scripts)
    await execa(['bash', 'zsh', 'fish'].includes(language) ? language : 'sh', ['-n'], { input: text });
});

it('a block without a word on it, with the name of no test, or of one that does not know the page, is found', () => {
  const complaints = (markdown: string) => blocksOf('docs/policies.md', markdown).flatMap(complaint);
  expect(complaints('```\nkubectl get pods\n```')).toHaveLength(1);
  expect(complaints('<!-- test: cluster/docs/nowhere -->\n```\nkubectl get pods\n```')).toHaveLength(1);
  expect(complaints('<!-- test: unit/docs/errors -->\n```\nkubectl get pods\n```')).toHaveLength(1);
  expect(complaints('<!-- not run: no -->\n```\nkubectl get pods\n```')).toHaveLength(1);
  expect(complaints('<!-- commands: cluster/docs/pages -->\n\n```\nkubectl get pods\n```')).toEqual([]);
});

function complaint({ page, heading, text, fate }: Block): readonly string[] {
  const where = `${page}, "${heading}": ${text.split('\n')[0]}`;
  if (fate === undefined)
    return [
      `${where}\nSay above the block which test runs it (<!-- test: cluster/docs/pages -->), or why none does (<!-- not run: … -->); make it \`\`\`text if nobody types it.`,
    ];
  if (fate.kind !== 'test') return fate.why.length > 20 ? [] : [`${where}\nSay why it is not run.`];
  const file = join(root, 'test', `${fate.test}.test.ts`);
  if (!existsSync(file)) return [`${where}\ntest/${fate.test}.test.ts does not exist.`];
  const knows = readFileSync(file, 'utf8').match(new RegExp(`${basename(page)}|allPages`));
  return knows === null ? [`${where}\ntest/${fate.test}.test.ts does not read ${page}.`] : [];
}
