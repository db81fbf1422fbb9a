import type { Buildah } from './buildah.ts';

/** Removes the images of the same name but this one and the newest other, with the layers that nothing else needs. */
export async function pruneImages(reference: string, buildah: Buildah): Promise<void> {
  const name = reference.slice(0, reference.lastIndexOf(':'));
  const listed = await buildah([
    'images',
    '--filter',
    `reference=${name}`,
    '--format',
    '{{.CreatedAtRaw.Unix}} {{.Name}}:{{.Tag}}',
  ]);
  const others = listed
    .split('\n')
    .map((line) => line.split(/\s+/))
    .filter(([, found]) => found !== undefined && found !== reference && found.startsWith(`${name}:`))
    .sort(([left], [right]) => Number(right) - Number(left))
    .map(([, found]) => found ?? '');
  for (const old of others.slice(1)) await buildah(['rmi', '--force', old]);
}
