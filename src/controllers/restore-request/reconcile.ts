import { isDeepStrictEqual } from 'node:util';
import { jobTemplate } from '../../api/job-template.ts';
import type { RestoreRequest } from '../../api/kinds.ts';
import { restoreRequestSpec } from '../../api/restore-request.ts';
import { operatorFieldManager } from '../../domain/labels.ts';
import type { Outcome } from '../../kube/controller.ts';
import { createIfAbsent, patchFinalizers, read, remove } from '../../kube/objects.ts';
import { type Cached, type Context, indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findHosts } from '../find-hosts.ts';
import { findJob, remainingPods } from '../jobs/find-job.ts';
import { hasEnded, ownedRunStatus } from '../run-progress.ts';
import { writeStatus } from '../write-status.ts';
import { decide, type Gathered, restoreJobName } from './decide.ts';
import { type Lookup, resolveSource } from './source.ts';

export async function reconcileRestore(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const request = context.caches.restores.get(namespace, name);
  if (request === undefined) return 'done';
  const gathered = await gather(context, request, signal);
  const decision = decide(gathered);
  const { client } = context;
  const differs = !isDeepStrictEqual([...(request.metadata.finalizers ?? [])].sort(), [...decision.finalizers].sort());
  const deleting = request.metadata.deletionTimestamp !== undefined;
  if (differs && !deleting) await patchFinalizers(client, request, decision.finalizers, signal);
  if (decision.create !== undefined) await createIfAbsent(client, decision.create, operatorFieldManager, signal);
  if (decision.removeJob && gathered.job !== undefined) {
    const { metadata } = gathered.job.job;
    await remove(client, { kind: 'Job', namespace, name: metadata.name, uid: metadata.uid }, signal);
  }
  if (differs && deleting) await patchFinalizers(client, request, decision.finalizers, signal);
  if (decision.status !== undefined)
    await writeStatus(context, request, ownedRunStatus, { ...decision.status }, signal);
  for (const event of decision.events) context.record(request, event);
  return decision.lookAgainMilliseconds === undefined
    ? 'done'
    : { requeueAfterMilliseconds: decision.lookAgainMilliseconds };
}

async function gather(context: Context, stored: Cached<RestoreRequest>, signal: AbortSignal): Promise<Gathered> {
  const { caches, client, settings, clock } = context;
  const request: RestoreRequest = { ...stored, spec: restoreRequestSpec.parse(stored.spec) };
  const { namespace } = request.metadata;
  const job = findJob(caches, namespace, restoreJobName(request));
  const hadJob = request.status?.jobName !== undefined || request.status?.report !== undefined;
  const open = job === undefined && !hasEnded(request) && request.metadata.deletionTimestamp === undefined;
  const server = request.spec.target.server;
  return {
    request,
    source: resolveSource(request, lookupIn(context, namespace)),
    hosts: open && !hadJob && server !== undefined ? await findHosts(client, namespace, server, signal) : [],
    account: open && !hadJob ? await ensureAgentAccount(context, namespace, jobTemplate.parse({}), signal) : undefined,
    job,
    jobExists: open && hadJob && (await read(client, 'Job', namespace, restoreJobName(request), signal)) !== undefined,
    activePods: remainingPods(caches, namespace, restoreJobName(request)),
    agent: settings.agent,
    now: clock.now(),
  };
}

function lookupIn({ caches }: Context, namespace: string): Lookup {
  return {
    run: (name) => caches.runs.get(namespace, name),
    runsOf: (policy) => caches.runs.byIndex(indexes.policy, `${namespace}/${policy}`),
    policy: (name) => caches.policies.get(namespace, name),
    repository: (name) => caches.repositories.get(namespace, name),
  };
}
