import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../cache.ts';
import { ensureTool } from './tools.ts';

const name = 'tidemark';

interface Options {
  readonly log: (line: string) => void;
}

export function kindKubeconfig(): string {
  return join(cacheFolder('kind'), 'kubeconfig');
}

export async function raiseKindCluster(options: Options): Promise<void> {
  const kind = await kindProgram(options);
  await mkdir(cacheFolder('kind'), { recursive: true });
  const { stdout } = await execa(kind, ['get', 'clusters']);
  if (!stdout.split('\n').includes(name)) {
    options.log('Creating a kind cluster');
    await execa(kind, ['create', 'cluster', '--name', name, '--wait', '180s', '--kubeconfig', kindKubeconfig()]);
  }
  await execa(kind, ['export', 'kubeconfig', '--name', name, '--kubeconfig', kindKubeconfig()]);
}

export async function removeKindCluster(options: Options): Promise<void> {
  await execa(await kindProgram(options), ['delete', 'cluster', '--name', name, '--kubeconfig', kindKubeconfig()]);
}

export async function loadIntoKind(archive: string, options: Options): Promise<void> {
  await execa(await kindProgram(options), ['load', 'image-archive', archive, '--name', name]);
}

export async function kindHasImage(reference: string): Promise<boolean> {
  const { stdout } = await execa('docker', ['exec', `${name}-control-plane`, 'crictl', 'images', '--output', 'json']);
  const { images } = JSON.parse(stdout) as { images: readonly { repoTags?: readonly string[] }[] };
  return images.some(({ repoTags }) => repoTags?.includes(reference) ?? false);
}

/** A kind on the PATH, or one built from its module. */
async function kindProgram(options: Options): Promise<string> {
  const installed = await execa('kind', ['version'], { reject: false });
  return installed.failed ? await ensureTool('kind', options) : 'kind';
}
