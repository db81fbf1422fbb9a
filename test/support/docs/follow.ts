import { chmod, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { bundled } from '../bundled.ts';
import { ensureCluster } from '../cluster/cluster.ts';
import type { Scenario } from '../tidemark/scenario.ts';
import { type Block, isCommand, root } from './page.ts';

/** A reader who types what a page says, in a shell and a namespace of their own. */
export interface Reader {
  /** Applies a block of objects, or runs one of commands; gives what was printed. Stops at the first that fails. */
  follow(block: Block): Promise<string>;
  /** Types one line on a terminal, and says yes to what is asked there. */
  answer(line: string): Promise<string>;
}

/** What a reader puts in the place of what the pages have: names, images, a moment. */
export type Own = (text: string) => string;

/** In the project's folder, or `atHome` in `folder`, which is the reader's own and the caller's to remove. */
export async function startReader(
  scenario: Pick<Scenario, 'kubeconfig' | 'namespace'>,
  own: Own,
  { atHome = false } = {},
): Promise<Reader & { readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-reader-'));
  const { kubectl } = await ensureCluster({ log: () => undefined });
  const kubeconfig = join(folder, 'kubeconfig');
  // A copy: the pages set its namespace.
  await execa('cp', [scenario.kubeconfig, kubeconfig]);
  await chmod(kubeconfig, 0o600);
  await symlink(kubectl, join(folder, 'kubectl'));
  const program = await bundled(join(root, 'src/cmd/kubectl-tidemark.ts'));
  const plugin = `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`;
  await writeFile(join(folder, 'kubectl-tidemark'), plugin, { mode: 0o755 });
  const home = atHome ? { HOME: folder } : {};
  const env = { ...home, PATH: `${folder}:${process.env.PATH}`, KUBECONFIG: kubeconfig };
  const cwd = atHome ? folder : root;
  const typed = (text: string) => own(text).replaceAll(/(namespace:? )shop\b/g, `$1${scenario.namespace}`);
  const shell = async (script: string, input = '') => {
    const { stdout } = await execa('sh', ['-euc', script], { cwd, env, input, timeout: 280_000, all: true });
    return stdout;
  };
  return {
    folder,
    answer: async (line) => {
      const command = ['--quiet', '--return', '--command', typed(line), '/dev/null'];
      const options = { cwd, env: { ...env, TERM: 'xterm', LANG: 'C.UTF-8' }, timeout: 280_000, all: true } as const;
      const terminal = execa('script', command, options);
      let shown = '';
      terminal.all.on('data', (piece) => {
        shown += piece;
        if (!shown.includes('(y/N)')) return;
        shown = '';
        terminal.stdin.end('y\r');
      });
      const { stdout } = await terminal;
      return stripVTControlCharacters(stdout).replaceAll('\r', '');
    },
    follow: async (block) => {
      const text = typed(block.text);
      if (isCommand(block)) return await shell(text);
      // What cannot be applied here must at least be taken by the API server.
      const dry = block.fate?.kind === 'not applied' ? ' --dry-run=server' : '';
      return await shell(`kubectl apply${dry} --filename -`, text);
    },
  };
}

/** Objects that are applied whole; a piece of a spec is there to be read. */
export function isManifest({ language, text }: Block): boolean {
  return language === 'yaml' && /^kind: /m.test(text);
}
