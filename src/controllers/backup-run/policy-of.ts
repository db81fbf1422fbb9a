import { backupPolicySpec } from '../../api/backup-policy.ts';
import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import type { Context } from '../context.ts';
import { parseSpec } from '../parse-spec.ts';
import { isRefusal, type Refusal } from '../refusal.ts';

/** A run's policy as it stands: undefined where there is none, a refusal where it cannot be read. */
export function policyOf({ caches }: Pick<Context, 'caches'>, run: BackupRun): BackupPolicy | Refusal | undefined {
  const { name } = run.spec.policyRef;
  const stored = caches.policies.get(run.metadata.namespace, name);
  if (stored === undefined) return undefined;
  const parsed = parseSpec(backupPolicySpec, stored.spec, `BackupPolicy ${name}`);
  return isRefusal(parsed) ? parsed : { ...stored, spec: parsed.spec };
}
