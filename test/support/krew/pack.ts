import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { parseDocument } from 'yaml';
import { licencesFolder } from '../images/app-parts.ts';
import { projectRoot } from '../images/project-root.ts';

export interface Packed {
  readonly archive: string;
  readonly manifest: string;
}

/**
 * What a release of the plugin is: one archive for every platform, and the krew manifest that names it. The same source
 * makes the same bytes, so that anyone can check a release.
 */
export async function pack(folder: string, address: string): Promise<Packed> {
  const { version } = JSON.parse(await readFile(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
  await mkdir(folder, { recursive: true });
  const stage = await mkdtemp(join(tmpdir(), 'tidemark-krew-'));
  try {
    const program = join(stage, 'kubectl-tidemark.mjs');
    await execa('npm', ['run', 'postbuild', '--', '--file', program], { cwd: projectRoot });
    await chmod(program, 0o755);
    await cp(join(projectRoot, 'LICENSE'), join(stage, 'LICENSE'));
    await cp(join(await licencesFolder(), 'licences'), join(stage, 'licences'), { recursive: true });
    const archive = join(folder, 'tidemark.tar.gz');
    const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=go-w,a+rX'];
    const names = ['LICENSE', 'kubectl-tidemark.mjs', 'licences'];
    await execa('tar', [...same, '--use-compress-program=gzip -n', '-cf', archive, '-C', stage, ...names]);
    const manifest = join(folder, 'tidemark.yaml');
    await writeFile(manifest, await manifestOf(await readFile(archive), version, address));
    return { archive, manifest };
  } finally {
    await rm(stage, { recursive: true });
  }
}

async function manifestOf(archive: Buffer, version: string, address: string): Promise<string> {
  const document = parseDocument(await readFile(join(projectRoot, 'manifests/krew/tidemark.yaml'), 'utf8'));
  document.commentBefore = null;
  document.setIn(['spec', 'version'], `v${version}`);
  document.setIn(['spec', 'platforms', 0, 'uri'], address);
  document.setIn(['spec', 'platforms', 0, 'sha256'], createHash('sha256').update(archive).digest('hex'));
  return document.toString({ lineWidth: 0 });
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { address: { type: 'string' } } });
  if (values.address === undefined)
    throw new Error('Say where the archive will be: npm run krew -- --address https://…/tidemark.tar.gz');
  const { archive, manifest } = await pack(join(projectRoot, 'dist-kubectl'), values.address);
  process.stdout.write(`${archive}\n${manifest}\n`);
}
