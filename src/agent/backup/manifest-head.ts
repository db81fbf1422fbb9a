import type { Encryption } from '../../domain/encryption.ts';
import type { Manifest } from '../../domain/manifest.ts';
import type { BackupTask } from '../../domain/task.ts';
import type { ServerIdentity } from '../../postgres/choose-server.ts';
import type { Compression } from '../../stream/compress.ts';

/** What is known of a backup, whatever its method. */
export interface BackupInHand {
  readonly task: Pick<BackupTask, 'namespace' | 'policy'>;
  readonly run: string;
  readonly backupID: string;
  readonly startTime: Date;
  readonly completionTime: Date;
  readonly server: ServerIdentity;
  readonly compression: Compression;
  readonly encryption: Encryption | undefined;
}

/** The fields that every manifest has in the same way; the timeline is that of the beginning. */
export function manifestHead(backup: BackupInHand) {
  const { task, startTime, completionTime, encryption } = backup;
  const { version, systemIdentifier, timeline, role } = backup.server;
  const { algorithm, level } = backup.compression;
  return {
    backupID: backup.backupID,
    namespace: task.namespace,
    policy: task.policy.name,
    run: backup.run,
    startTime: startTime.toISOString(),
    completionTime: completionTime.toISOString(),
    server: { version, systemIdentifier, timeline, role },
    compression: { algorithm, ...(algorithm === 'none' || level === undefined ? {} : { level }) },
    ...(encryption === undefined
      ? {}
      : { encryption: { scheme: encryption.scheme, recipients: [...encryption.recipients] } }),
  } satisfies Partial<Manifest>;
}
