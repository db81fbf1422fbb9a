import type { BackupPolicySpec } from '../api/backup-policy.ts';
import { hasCommands, hooksOf } from '../domain/hooks/name.ts';
import { agentServiceAccount } from '../domain/labels.ts';
import type { HookWork } from '../domain/task.ts';
import type { AgentSettings } from './jobs/build-job.ts';

/** What an agent is told of a policy's hooks; undefined where it has none. */
export function hookWorkOf(
  spec: BackupPolicySpec,
  execRole: AgentSettings['execRole'] = 'ClusterRole',
): HookWork | undefined {
  const hooks = hooksOf(spec);
  if (hooks === undefined) return undefined;
  const { workloadRef: workload, container } = spec.source;
  if (workload === undefined || !hasCommands(hooks)) return hooks;
  const account = spec.jobTemplate.serviceAccountName ?? agentServiceAccount;
  const place = { workload, account, roleKind: execRole, ...(container === undefined ? {} : { container }) };
  return { ...hooks, exec: place };
}
