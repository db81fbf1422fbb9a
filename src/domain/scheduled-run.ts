import type { BackupRunSpec } from '../api/backup-run.ts';
import { apiVersion, backupRun } from '../api/kinds.ts';
import { labelValue } from './label-value.ts';
import { labels, managedBy } from './labels.ts';

/** A type, not an interface: it is to fit wherever any object of the API is taken. */
export type ScheduledRun = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly spec: BackupRunSpec;
};

/**
 * The BackupRun that records a schedule's Job; it has the Job's name. Agent and operator each create it if it is missing
 * (409 AlreadyExists is fine), so both must build the same.
 */
export function scheduledRun(of: {
  readonly namespace: string;
  readonly jobName: string;
  readonly policy: { readonly name: string };
  readonly schedule: string;
  readonly method: BackupRunSpec['method'];
  readonly type: BackupRunSpec['type'];
}): ScheduledRun {
  return {
    apiVersion,
    kind: backupRun.kind,
    metadata: {
      name: of.jobName,
      namespace: of.namespace,
      labels: {
        [labels.policy]: labelValue(of.policy.name),
        [labels.schedule]: of.schedule,
        [labels.managedBy]: managedBy,
      },
    },
    spec: {
      policyRef: { name: of.policy.name },
      method: of.method,
      type: of.type,
      hold: false,
      cancel: false,
      deletionPolicy: 'Retain',
    },
  };
}
