import type { PitrRecovery } from '../../api/kinds.ts';
import { annotations, operatorFieldManager } from '../../domain/labels.ts';
import { ApiError, isNamespaceTerminating, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient, KubeObject } from '../../kube/client.ts';
import { createIfAbsent, type Desired, read, remove } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/paths.ts';
import { createJob } from '../jobs/create-job.ts';
import { type Refusal, refused } from '../refusal.ts';
import type { Step } from './gathered.ts';

/** Does the steps in their order, up to the first that cannot be done: that is why. Doing one again does no harm. */
export async function perform(
  client: KubeClient,
  recovery: PitrRecovery,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<'waiting' | Refusal | undefined> {
  for (const step of steps) {
    const undone = await performOne(client, recovery, step, signal);
    if (undone !== undefined) return undone;
  }
  return undefined;
}

async function performOne(
  client: KubeClient,
  recovery: PitrRecovery,
  step: Step,
  signal: AbortSignal,
): Promise<'waiting' | Refusal | undefined> {
  const { namespace } = recovery.metadata;
  switch (step.do) {
    case 'make':
      return await make(client, recovery, step.object, signal);
    case 'makeJob': {
      const created = await createJob(client, recovery, step.object, signal);
      return created === 'made' ? undefined : created;
    }
    case 'remove':
      await remove(client, { kind: step.kind, namespace, name: step.name, uid: step.uid }, signal);
      return undefined;
    case 'scale':
      await scale(client, namespace, step, signal);
      return undefined;
  }
}

async function make(
  client: KubeClient,
  { metadata }: PitrRecovery,
  object: Desired,
  signal: AbortSignal,
): Promise<'waiting' | Refusal | undefined> {
  const { kind } = object;
  const { namespace, name } = object.metadata;
  try {
    if (await createIfAbsent(client, object, operatorFieldManager, signal)) return undefined;
  } catch (error) {
    if (!(error instanceof ApiError) || isNamespaceTerminating(error) || ![400, 403, 422].includes(error.status))
      throw error;
    return {
      reason: 'TargetRefused',
      message: `The API server does not take the ${kind} ${namespace}/${name}: ${error.message}. Correct target.instance, or whatever the message names.`,
      mayCome: error.status === 403,
    };
  }
  const present = await read<KubeObject>(client, kind, namespace, name, signal);
  if (present === undefined) return 'waiting';
  const marks = present.metadata['annotations'] as Readonly<Record<string, string>> | undefined;
  if (marks?.[annotations.recovery] === metadata.uid) return undefined;
  return refused(
    'TargetExists',
    `There is a ${kind} ${namespace}/${name} already, and the recovered server would have that name. Choose another target.instance.name, or remove it.`,
  );
}

async function scale(
  client: KubeClient,
  namespace: string,
  { workload, replicas }: Extract<Step, { readonly do: 'scale' }>,
  signal: AbortSignal,
): Promise<void> {
  const { kind, name, uid } = workload;
  try {
    await client.request('PATCH', resourcePath(kind, { namespace, name }), {
      // Only the workload that was looked at: the API server takes no other UID.
      body: { metadata: { uid }, spec: { replicas } },
      query: { fieldManager: operatorFieldManager },
      contentType: 'application/merge-patch+json',
      signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
