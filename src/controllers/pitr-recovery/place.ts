import { basename, dirname, join } from 'node:path/posix';
import { type Refusal, refused } from '../refusal.ts';
import type { ServerWorkload, VolumeMount } from './server.ts';

/** Where the data directory lies, as the recovery's pod sees it and as the server sees it afterwards. */
export interface Place {
  readonly dataDirectory: string;
  /** The server's path to it, where that mounts the directory itself. */
  readonly servedDirectory?: string;
  /** Of the data's volume in the recovery's pod. */
  readonly mountPath: string;
  readonly subPath?: string;
  /** Of the data's volume in the new server's pod; the same, but where that mounts the data directory itself. */
  readonly served: { readonly mountPath: string; readonly subPath?: string };
}

/** On a new volume its root belongs to nobody's account that PostgreSQL would start in, so the data gets a folder. */
const folder = 'pgdata';

/** A new volume for a server that is made like another: every absolute path stays what it was. */
export function placeLike(server: ServerWorkload, dataDirectory: string): Place {
  const mount = mountOf(server, dataDirectory);
  if (mount === undefined || mount.mountPath === dataDirectory) {
    // The same folder as the original's, which an init container may know by its name.
    const subPath = mount?.subPath ?? folder;
    return {
      dataDirectory: join(dataDirectory, subPath),
      servedDirectory: dataDirectory,
      mountPath: dataDirectory,
      served: { mountPath: dataDirectory, subPath },
    };
  }
  const { mountPath } = mount;
  return { dataDirectory, mountPath, served: { mountPath } };
}

/**
 * A new volume for a server of which only the data directory's path is known. An image may declare a volume at that very
 * path, which would hide what a mount above it holds: so the mount is there, and the data in a folder within it.
 */
export function placePlainly(dataDirectory: string): Place {
  const mountPath =
    basename(dataDirectory) === folder && dirname(dataDirectory) !== '/' ? dirname(dataDirectory) : dataDirectory;
  return { dataDirectory: join(mountPath, folder), mountPath, served: { mountPath } };
}

/** The volume that a workload has its data on. */
export function placeWithin(
  server: ServerWorkload,
  dataDirectory: string,
): (Place & { readonly claim: string }) | Refusal {
  const { kind, name } = server;
  const mount = mountOf(server, dataDirectory);
  const claim = mount === undefined ? undefined : claimOf(server, mount);
  if (mount === undefined || claim === undefined || mount.subPathExpr !== undefined)
    return refused(
      'NoPersistentVolume',
      `${kind} ${name} has no persistent volume at ${dataDirectory}, where its data directory is to be, so nothing could be recovered in place. Use target.instance, or correct PGDATA and the volume mounts of the workload.`,
    );
  const { mountPath, subPath } = mount;
  const where = { mountPath, ...(subPath === undefined ? {} : { subPath }) };
  return { dataDirectory, ...where, served: where, claim };
}

/** The claim behind a mount; undefined where the volume goes with its pod. */
export function claimOf({ kind, name, pod, claimTemplates }: ServerWorkload, mount: VolumeMount): string | undefined {
  if (kind === 'StatefulSet' && claimTemplates.some(({ metadata }) => metadata.name === mount.name))
    return `${mount.name}-${name}-0`;
  return pod.volumes?.find((volume) => volume.name === mount.name)?.persistentVolumeClaim?.claimName;
}

/** The mount that holds a path: the deepest at it or above it. */
export function mountOf({ container }: ServerWorkload, path: string): VolumeMount | undefined {
  const above = (container.volumeMounts ?? []).map((mount) => ({
    ...mount,
    mountPath: mount.mountPath.replace(/(?<=.)\/+$/, ''),
  }));
  return above
    .filter(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`))
    .sort((a, b) => b.mountPath.length - a.mountPath.length)[0];
}
