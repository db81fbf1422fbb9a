import { backupRepositorySpec } from '../../api/backup-repository.ts';
import { jobTemplate } from '../../api/job-template.ts';
import { operatorFieldManager } from '../../domain/labels.ts';
import type { Outcome } from '../../kube/controller.ts';
import { createIfAbsent } from '../../kube/objects.ts';
import { type Context, indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { findJob } from '../jobs/find-job.ts';
import { writeStatus } from '../write-status.ts';
import { decide, ownedStatus, probeJobName } from './decide.ts';

export async function reconcileRepository(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const { caches, client, settings, clock } = context;
  const stored = caches.repositories.get(namespace, name);
  if (stored === undefined || stored.metadata.deletionTimestamp !== undefined) return 'done';
  const repository = { ...stored, spec: backupRepositorySpec.parse(stored.spec) };
  const decision = decide({
    repository,
    probeJob: findJob(caches, namespace, probeJobName(repository)),
    account: await ensureAgentAccount(context, namespace, jobTemplate.parse({}), signal),
    runs: caches.runs.byIndex(indexes.repository, `${namespace}/${name}`),
    agent: settings.agent,
    now: clock.now(),
  });
  if (decision.create !== undefined) await createIfAbsent(client, decision.create, operatorFieldManager, signal);
  await writeStatus(context, stored, ownedStatus, { ...decision.status }, signal);
  for (const event of decision.events) context.record(stored, event);
  return 'done';
}
