import type { BackupPolicy, BackupRepository } from '../../api/kinds.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { read } from '../../kube/objects.ts';
import { missing, type Refusal, refused } from '../refusal.ts';

/** A repository's claim, which mode Archive mounts into the server's own pods. */
export interface RepositoryClaim {
  readonly repository: string;
  readonly name: string;
  /** undefined where it does not exist. */
  readonly accessModes: readonly string[] | undefined;
}

/** The claims that the sidecar would mount; none in any other mode than Archive. */
export async function readClaims(
  client: KubeClient,
  { metadata, spec }: BackupPolicy,
  repositories: readonly (BackupRepository | undefined)[],
  signal: AbortSignal,
): Promise<readonly RepositoryClaim[]> {
  if (spec.walArchiving.mode !== 'Archive') return [];
  const named = repositories.flatMap((repository) => {
    const name = repository?.spec.volume?.claimName;
    return repository === undefined || name === undefined ? [] : [{ repository: repository.metadata.name, name }];
  });
  return await Promise.all(
    named.map(async (each) => {
      const found = await read<Claim>(client, 'PersistentVolumeClaim', metadata.namespace, each.name, signal);
      return { ...each, accessModes: found === undefined ? undefined : (found.spec?.accessModes ?? []) };
    }),
  );
}

/**
 * A claim of one node ties the server's pods to that node, and two such claims on different nodes keep them from running
 * at all: a backup must never be what a database is down for.
 */
export function refuseUnshared(namespace: string, claims: readonly RepositoryClaim[]): Refusal | undefined {
  for (const { repository, name, accessModes } of claims) {
    if (accessModes === undefined)
      return missing(
        'ClaimNotFound',
        `PersistentVolumeClaim ${namespace}/${name} of BackupRepository ${repository} does not exist, and the server's pods, which mount it in walArchiving.mode Archive, would not start without it. Create it, or correct spec.volume.claimName of the repository.`,
      );
    if (!accessModes.includes('ReadWriteMany'))
      return refused(
        'ClaimNotShared',
        `BackupRepository ${repository} is on PersistentVolumeClaim ${name}, which has the access modes ${accessModes.join(', ')}. In walArchiving.mode Archive the server's own pods mount it, and could then run only on the node where that volume is, if at all. Use walArchiving.mode: Stream, which has a pod of its own for it; or a claim with ReadWriteMany; or a repository in S3.`,
      );
  }
  return undefined;
}

interface Claim extends KubeObject {
  readonly spec?: { readonly accessModes?: readonly string[] };
}
