import { chmod, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { bundled } from '../bundled.ts';
import { ensureCluster } from '../cluster/cluster.ts';
import type { Scenario } from '../tidemark/scenario.ts';
import { type Block, isCommand, root } from './page.ts';

/** A reader who types what a page says, in a shell and a namespace of their own. */
export interface Reader {
  /** Applies a block of objects, or runs one of commands; gives what was printed. Stops at the first that fails. */
  follow(block: Block): Promise<string>;
}

/** What a reader puts in the place of what the pages have: names, images, a moment. */
export type Own = (text: string) => string;

/** `folder` is the caller's to remove. */
export async function startReader(scenario: Scenario, own: Own): Promise<Reader & { readonly folder: string }> {
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
  const env = { PATH: `${folder}:${process.env.PATH}`, KUBECONFIG: kubeconfig };
  const shell = async (script: string, input = '') => {
    const { stdout } = await execa('sh', ['-euc', script], { cwd: root, env, input, timeout: 280_000, all: true });
    return stdout;
  };
  return {
    folder,
    follow: async (block) => {
      const text = own(block.text).replaceAll(/(namespace:? )shop\b/g, `$1${scenario.namespace}`);
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
