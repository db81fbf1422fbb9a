import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureTool } from '../tools.ts';
import { layout, pauseImage } from './layout.ts';

/** Imports the sandbox image: one static program in an image archive written here, since there is no registry to ask. */
export async function ensurePauseImage(options: { readonly log: (line: string) => void }): Promise<void> {
  const { stdout } = await ctr('images', 'list', '--quiet');
  if (stdout.split('\n').includes(pauseImage)) return;
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-pause-'));
  try {
    await ctr('images', 'import', await writeArchive(folder, await ensureTool('pause', options)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function ctr(...args: readonly string[]) {
  return await execa('ctr', ['--address', layout.containerdSocket, '--namespace', 'k8s.io', ...args]);
}

/** An archive as `docker save` writes it: a layer, its configuration, and the list of both. */
async function writeArchive(folder: string, program: string): Promise<string> {
  await mkdir(join(folder, 'root'));
  await copyFile(program, join(folder, 'root', 'pause'));
  const tar = (name: string, from: string, entries: readonly string[]) =>
    execa('tar', [
      '--create',
      '--file',
      join(folder, name),
      '--directory',
      from,
      '--owner=0',
      '--group=0',
      '--mtime=@0',
      ...entries,
    ]);
  await tar('layer.tar', join(folder, 'root'), ['pause']);
  const { stdout: layer } = await execa('cat', [join(folder, 'layer.tar')], {
    encoding: 'buffer',
    stripFinalNewline: false,
  });
  const configuration = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Entrypoint: ['/pause'], User: '65535:65535' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`] },
  };
  await writeFile(join(folder, 'config.json'), JSON.stringify(configuration));
  await writeFile(
    join(folder, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [pauseImage], Layers: ['layer.tar'] }]),
  );
  await tar('pause.tar', folder, ['manifest.json', 'config.json', 'layer.tar']);
  return join(folder, 'pause.tar');
}
