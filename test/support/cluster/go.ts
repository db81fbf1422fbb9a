import { chmod, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureDebianPackages } from './packages.ts';

/** What the tools are built with where the host's own Go cannot fetch a newer one by itself. */
const toolchain = 'golang.org/toolchain@v0.0.1-go1.25.3.linux-amd64';

export interface Go {
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * A Go that builds what go.mod asks for. From 1.21 on Go fetches the toolchain that it needs; Debian 12's 1.19 cannot,
 * but can download that same toolchain, which is a module, and lose only the permission to execute on the way.
 */
export async function goToolchain(log: (line: string) => void): Promise<Go> {
  const found = await execa('go', ['env', 'GOVERSION'], { reject: false });
  if (!found.failed && minor(found.stdout) >= 21) return { path: 'go', environment: { GOTOOLCHAIN: 'auto' } };
  if (found.failed) await ensureDebianPackages(['golang-go', 'ca-certificates', 'git'], log);
  log('Fetching a Go toolchain');
  const { stdout } = await execa('go', ['mod', 'download', '-json', toolchain], { env: { GOFLAGS: '-mod=mod' } });
  const folder = (JSON.parse(stdout) as { Dir: string }).Dir;
  await makeExecutable(folder);
  // A tool that needs a newer one still has it fetched.
  return { path: join(folder, 'bin', 'go'), environment: { GOTOOLCHAIN: 'auto' } };
}

async function makeExecutable(folder: string): Promise<void> {
  await execa('chmod', ['-R', 'u+w', folder]);
  for (const place of ['bin', 'pkg/tool/linux_amd64']) {
    for (const name of await readdir(join(folder, place)).catch(() => []))
      await chmod(join(folder, place, name), 0o755);
  }
}

function minor(version: string): number {
  return Number(/^go1\.(\d+)/.exec(version)?.[1] ?? 0);
}
