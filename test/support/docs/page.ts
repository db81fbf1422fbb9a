import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../../..');

/** A page of the documentation, in so far as a person types something of it. */
export interface Page {
  /** From the project's root, such as docs/policies.md. */
  readonly path: string;
  readonly blocks: readonly Block[];
}

export interface Block {
  readonly page: string;
  /** The chapter's heading; empty above the first. */
  readonly heading: string;
  readonly language: string;
  readonly text: string;
  /** What the comment right above it, or for commands else the page's, says becomes of it. */
  readonly fate: Fate | undefined;
}

export type Fate =
  /** A test takes it out of the page and runs it: its path under test/, without .test.ts. */
  | { readonly kind: 'test'; readonly test: string; readonly own: boolean }
  /** Files of the project that run each of its lines, in every run of the tests. */
  | { readonly kind: 'script'; readonly files: readonly string[] }
  /** Of objects: why the API server is only asked about them. */
  | { readonly kind: 'not applied'; readonly why: string };

export function allPages(): readonly Page[] {
  return globSync('{README.md,docs/**/*.md}', { cwd: root }).sort().map(readPage);
}

export function readPage(path: string): Page {
  return { path, blocks: blocksOf(path, readFileSync(join(root, path), 'utf8')) };
}

/** What a shell reads. A tree of folders or what a command prints is a block of `text`. */
export function isCommand({ language }: Pick<Block, 'language'>): boolean {
  return ['', 'sh', 'bash', 'zsh', 'fish', 'console', 'shell'].includes(language);
}

const comment = /^<!-- (commands|test|script|not applied): (.*) -->$/;

export function blocksOf(page: string, markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  let heading = '';
  let ofPage: Fate | undefined;
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? '';
    const [, title] = /^##+ (.*)$/.exec(line) ?? [];
    heading = title ?? heading;
    const said = comment.exec(line);
    if (said?.[1] === 'commands') ofPage = { kind: 'test', test: said[2] ?? '', own: false };
    const [fence, language = ''] = /^```(\w*)$/.exec(line) ?? [];
    if (fence === undefined) continue;
    const end = lines.indexOf('```', index + 1);
    if (end === -1) throw new Error(`${page} has a block that never ends, at line ${index + 1}`);
    const own = fateOf(lines[index - 1] ?? '');
    const block = { page, heading, language, text: lines.slice(index + 1, end).join('\n') };
    blocks.push({ ...block, fate: own ?? (isCommand(block) ? ofPage : undefined) });
    index = end;
  }
  return blocks;
}

function fateOf(line: string): Fate | undefined {
  const [, kind, value = ''] = comment.exec(line) ?? [];
  if (kind === 'test') return { kind, test: value, own: true };
  if (kind === 'script') return { kind, files: value.split(', ') };
  return kind === 'not applied' ? { kind, why: value } : undefined;
}
