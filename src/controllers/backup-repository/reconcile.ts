import { backupRepositorySpec } from '../../api/backup-repository.ts';
import { jobTemplate } from '../../api/job-template.ts';
import type { Outcome } from '../../kube/controller.ts';
import { reconcileCatalogue } from '../catalogue/reconcile.ts';
import { type Context, indexes } from '../context.ts';
import { ensureAgentAccount } from '../ensure-agent-account.ts';
import { createJob, isCreated } from '../jobs/create-job.ts';
import { findJob } from '../jobs/find-job.ts';
import { parseSpec } from '../parse-spec.ts';
import { isRefusal } from '../refusal.ts';
import { refuseObject } from '../refuse-object.ts';
import { writeStatus } from '../write-status.ts';
import { decide, isProbed, ownedStatus, probeJobName } from './decide.ts';

export async function reconcileRepository(
  context: Context,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const { caches, client, settings, clock } = context;
  const stored = caches.repositories.get(namespace, name);
  if (stored === undefined || stored.metadata.deletionTimestamp !== undefined) return 'done';
  const parsed = parseSpec(backupRepositorySpec, stored.spec, 'The BackupRepository');
  if (isRefusal(parsed)) return await refuseObject(context, stored, parsed, 'Probe', signal);
  const repository = { ...stored, spec: parsed.spec };
  const runs = caches.runs.byIndex(indexes.repository, `${namespace}/${name}`);
  const account = await ensureAgentAccount(context, stored, jobTemplate.parse({}), signal);
  const isReady = account === undefined && isProbed(repository);
  const catalogue = await reconcileCatalogue(context, { repository, runs, isReady }, signal);
  const gathered = {
    repository,
    synced: isReady || stored.status?.catalogue !== undefined ? catalogue.condition : undefined,
    probeJob: findJob(caches, { namespace, name: probeJobName(repository), owner: stored.metadata.uid }),
    account,
    runs,
    agent: settings.agent,
    now: clock.now(),
  };
  const first = decide(gathered);
  const created = first.create === undefined ? 'made' : await createJob(client, stored, first.create, signal);
  const decision = isCreated(created) ? first : decide({ ...gathered, rejection: created });
  await writeStatus(context, stored, ownedStatus, { ...decision.status }, signal);
  for (const event of decision.events) context.record(stored, event);
  const probeWait = created === 'made' ? undefined : created === 'waiting' ? 2_000 : 60_000;
  const waits = [probeWait, catalogue.lookAgain].filter((wait) => wait !== undefined);
  return waits.length === 0 ? 'done' : { requeueAfterMilliseconds: Math.max(1_000, Math.min(...waits)) };
}
