import type { OwnerReference } from '../../api/kinds.ts';
import { operatorFieldManager } from '../../domain/labels.ts';
import { ApiError, isNamespaceTerminating } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { createIfAbsent, type Desired, read } from '../../kube/objects.ts';
import type { Job } from '../../kube/workloads.ts';
import { type Refusal, refused } from '../refusal.ts';

interface Owner {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid: string };
}

export type Created = 'made' | 'waiting';

/**
 * Makes the Job of its owner, once. `waiting`: a Job of an earlier owner of the same name is still being removed, or the
 * owner has gone and the cache does not know it yet. What the API server does not take, and a Job of somebody else's in
 * its place, is a refusal, so that a person hears of it.
 */
export async function createJob(
  client: KubeClient,
  owner: Owner,
  job: Desired,
  signal: AbortSignal,
): Promise<Created | Refusal> {
  const { namespace, name } = job.metadata;
  const live = await read(client, owner.kind, namespace, owner.metadata.name, signal);
  // A Job without an owner is removed at once, and would be made again and again until the cache knows.
  if (live?.metadata.uid !== owner.metadata.uid) return 'waiting';
  try {
    if (await createIfAbsent(client, job, operatorFieldManager, signal)) return 'made';
  } catch (error) {
    const refusal = refusalOf(error, 'Job');
    if (refusal === undefined) throw error;
    return refusal;
  }
  const present = await read<Job>(client, 'Job', namespace, name, signal);
  if (present === undefined) return 'waiting';
  if (isOwnedBy(present, owner.metadata.uid)) return 'made';
  if (present.metadata.deletionTimestamp !== undefined || isOfNamesake(present, owner)) return 'waiting';
  return refused(
    'JobNameTaken',
    `There is a Job ${namespace}/${name} that does not belong to ${owner.kind} ${owner.metadata.name}, and its own Job would have that name. Create another ${owner.kind} of another name, or remove that Job first.`,
  );
}

export function isCreated(created: Created | Refusal): created is Created {
  return typeof created === 'string';
}

export function isOwnedBy({ metadata }: Job, uid: string): boolean {
  return ownersOf(metadata).some((owner) => owner.uid === uid);
}

/** What the API server does not take by itself, however often it is asked; a quota or a policy (403) may change. */
export function refusalOf(error: unknown, what: string): Refusal | undefined {
  if (!(error instanceof ApiError) || isNamespaceTerminating(error)) return undefined;
  if (error.status !== 400 && error.status !== 403 && error.status !== 422) return undefined;
  return {
    reason: 'JobRefused',
    message: `The API server does not take the ${what}: ${error.message}. Correct jobTemplate, or whatever the message names.`,
    mayCome: error.status === 403,
  };
}

function isOfNamesake({ metadata }: Job, { kind, metadata: { name } }: Owner): boolean {
  return ownersOf(metadata).some((owner) => owner.kind === kind && owner.name === name);
}

function ownersOf({ ownerReferences = [] }: Job['metadata']): readonly OwnerReference[] {
  return ownerReferences;
}
