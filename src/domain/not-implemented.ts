import type { BackupPolicySpec } from '../api/backup-policy.ts';
import type { BackupRepositorySpec } from '../api/backup-repository.ts';
import type { BackupRunSpec } from '../api/backup-run.ts';
import type { RestoreRequestSpec } from '../api/restore-request.ts';

/**
 * What the API promises and this version does not do yet. Each entry names the field and what stands in its way; an
 * object with one of them is refused with the reason NotImplemented, and nothing of it is done.
 */
export function missingForPolicy(spec: BackupPolicySpec): readonly string[] {
  const types = spec.schedules.flatMap(({ name, type }) =>
    type === 'Full' ? [] : [`spec.schedules[${name}].type: ${type}`],
  );
  return [
    ...types,
    ...(spec.walArchiving.mode === 'None' || spec.walArchiving.compression.algorithm === 'zstd'
      ? []
      : [`spec.walArchiving.compression.algorithm: ${spec.walArchiving.compression.algorithm}`]),
    ...(hasHooks(spec) ? ['spec.hooks'] : []),
    ...(['zstd', 'none'].includes(spec.compression.algorithm)
      ? []
      : [`spec.compression.algorithm: ${spec.compression.algorithm}`]),
    ...(spec.repositoryRefs.length > 1 ? ['more than one entry of spec.repositoryRefs'] : []),
  ];
}

export function missingForRun(spec: Pick<BackupRunSpec, 'type'>): readonly string[] {
  return spec.type === 'Full' ? [] : [`spec.type: ${spec.type}`];
}

export function missingForRepository(spec: BackupRepositorySpec): readonly string[] {
  const kinds = ['azureBlob', 'googleCloudStorage', 'rclone'] as const;
  return [
    ...kinds.filter((kind) => spec[kind] !== undefined).map((kind) => `spec.${kind}`),
    ...(spec.encryption?.gpg === undefined ? [] : ['spec.encryption.gpg']),
  ];
}

/** Of a Logical backup; a Physical one is a recovery, which has these targets and no other. */
export function missingForRestore(spec: RestoreRequestSpec): readonly string[] {
  const targets = ['instance', 'inPlace'] as const;
  return targets.flatMap((target) =>
    spec.target[target] === undefined ? [] : [`spec.target.${target} with a Logical backup`],
  );
}

/** One sentence for the condition and the Event. */
export function notImplementedMessage(missing: readonly string[]): string {
  return `This version of Tidemark does not do this yet: ${missing.join(', ')}. Nothing was started; take it out, or wait for a version that has it.`;
}

function hasHooks({ hooks }: BackupPolicySpec): boolean {
  return hooks !== undefined && hooks.preBackup.length + hooks.postBackup.length > 0;
}
