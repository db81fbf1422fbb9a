import type { BackupPolicy, BackupRun } from '../../api/kinds.ts';
import { apiVersion, pitrRecovery, restoreRequest } from '../../api/kinds.ts';
import type { LastVerification } from '../../api/verification.ts';
import { rfc3339 } from '../../domain/conditions.ts';
import { labelValue } from '../../domain/label-value.ts';
import { annotations, labels } from '../../domain/labels.ts';
import { verificationName } from '../../domain/naming.ts';
import { isStoredInSome } from '../../domain/stored-in-some.ts';
import { minuteOf } from '../../domain/verification/due-time.ts';
import { failedVerification } from '../../domain/verification/failed.ts';
import { instantIn, restorableSpans } from '../../domain/verification/random-instant.ts';
import type { Desired } from '../../kube/objects.ts';
import { physicalBackups } from '../archiving/judge.ts';
import { ownerOf } from '../jobs/build-job.ts';

type Method = LastVerification['method'];
type Verification = NonNullable<BackupPolicy['spec']['verification']>;

export interface TrialParts {
  readonly policy: BackupPolicy;
  readonly verification: Verification;
  readonly runs: readonly BackupRun[];
  readonly due: Date;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** What verifies the newest backup of a method, or a random instant; undefined where there is no backup yet. */
export function buildTrial(method: Method, parts: TrialParts): Desired | undefined {
  const backups = newestUsable(method, parts);
  const [newest] = backups;
  if (newest?.status?.backupID === undefined) return undefined;
  return method === 'Physical' ? buildRecovery(parts, backups, newest) : buildRestore(parts, newest);
}

/** Those that failed a verification before come last: where there is nothing else, they are tried again. */
function newestUsable(method: Method, { policy, runs }: TrialParts): readonly BackupRun[] {
  const completed =
    method === 'Physical'
      ? physicalBackups(runs, policy.status?.wal?.systemIdentifier)
      : runs.filter(
          ({ spec, status }) => spec.method === 'Logical' && (status?.phase === 'Completed' || isStoredInSome(status)),
        );
  const idOf = ({ status }: BackupRun) => status?.backupID ?? '';
  return completed.toSorted(
    (one, other) =>
      Number(failedVerification(one)) - Number(failedVerification(other)) || idOf(other).localeCompare(idOf(one)),
  );
}

function buildRecovery(parts: TrialParts, backups: readonly BackupRun[], newest: BackupRun): Desired {
  const { policy, verification } = parts;
  const { checks, assertions, image } = verification;
  return {
    ...common(parts, pitrRecovery.kind),
    spec: {
      source: { policyRef: { name: policy.metadata.name } },
      recoveryTarget: targetOf(parts, backups, newest),
      target: { ephemeral: image === undefined ? {} : { image } },
      assertions,
      checks,
    },
  };
}

function targetOf(parts: TrialParts, backups: readonly BackupRun[], newest: BackupRun): object {
  const { policy, verification, random } = parts;
  const isArchived = policy.spec.walArchiving.mode !== 'None';
  if (verification.target === 'RandomPoint') {
    const usable = backups.filter((run) => !failedVerification(run));
    const { restorable } = policy.status ?? {};
    const spans = !isArchived || restorable === undefined ? [] : restorableSpans(restorable, usable);
    const instant = instantIn(spans, random());
    if (instant !== undefined) return { targetTime: rfc3339(instant) };
    const any = usable[Math.floor(random() * usable.length)] ?? newest;
    return { backupID: any.status?.backupID, targetImmediate: true };
  }
  const { backupID } = newest.status ?? {};
  return isArchived ? { backupID } : { backupID, targetImmediate: true };
}

function buildRestore(parts: TrialParts, newest: BackupRun): Desired {
  const { policy, verification } = parts;
  const { amcheck, dump } = verification.checks;
  const { assertions, image } = verification;
  return {
    ...common(parts, restoreRequest.kind),
    spec: {
      source: { backupRunRef: { name: newest.metadata.name } },
      target: { ephemeral: image === undefined ? {} : { image } },
      globals: 'Restore',
      jobs: policy.spec.logical.jobs,
      assertions,
      checks: { amcheck, dump },
    },
  };
}

function common({ policy, due }: TrialParts, kind: string) {
  const { name, namespace } = policy.metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name: verificationName(name, minuteOf(due)),
      namespace,
      labels: { [labels.verification]: labelValue(name), [labels.policy]: labelValue(name) },
      annotations: { [annotations.scheduledTime]: rfc3339(due) },
      ownerReferences: [ownerOf(policy)],
    },
  };
}
