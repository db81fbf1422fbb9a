import {
  type FailedDatabase,
  type LogicalManifest,
  type ManifestDatabase,
  manifestFormat,
} from '../../domain/manifest.ts';
import type { BackupTask } from '../../domain/task.ts';
import type { ServerIdentity } from '../../postgres/choose-server.ts';
import type { StreamCompression } from './dump.ts';

export function buildManifest(backup: {
  readonly task: Pick<BackupTask, 'method' | 'type' | 'namespace' | 'policy'>;
  readonly run: string;
  readonly backupID: string;
  readonly startTime: Date;
  readonly completionTime: Date;
  readonly server: ServerIdentity;
  readonly compression: StreamCompression;
  readonly databases: readonly ManifestDatabase[];
  readonly failed: readonly FailedDatabase[];
  readonly globals: LogicalManifest['logical']['globals'];
  readonly tool: string;
}): LogicalManifest {
  const { task, databases, failed, globals } = backup;
  const { version, systemIdentifier, timeline, role } = backup.server;
  const { algorithm, level } = backup.compression;
  return {
    format: manifestFormat,
    backupID: backup.backupID,
    method: 'Logical',
    type: task.type,
    namespace: task.namespace,
    policy: task.policy.name,
    run: backup.run,
    startTime: backup.startTime.toISOString(),
    completionTime: backup.completionTime.toISOString(),
    server: { version, systemIdentifier, timeline, role },
    compression: { algorithm, ...(algorithm === 'none' || level === undefined ? {} : { level }) },
    size: { source: totalBytes(databases), stored: storedBytes(databases) + (globals?.size ?? 0) },
    logical: {
      databases: [...databases],
      ...(failed.length === 0 ? {} : { failed: [...failed] }),
      ...(globals === undefined ? {} : { globals }),
      tool: backup.tool,
    },
  };
}

export function totalBytes(databases: readonly { readonly bytes: number }[]): number {
  return databases.reduce((sum, { bytes }) => sum + bytes, 0);
}

export function storedBytes(databases: readonly Pick<ManifestDatabase, 'objects' | 'contents'>[]): number {
  return databases.flatMap(({ objects, contents }) => [...objects, contents]).reduce((sum, { size }) => sum + size, 0);
}
