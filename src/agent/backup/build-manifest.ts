import {
  type FailedDatabase,
  type LogicalManifest,
  type ManifestDatabase,
  manifestFormat,
} from '../../domain/manifest.ts';
import { type BackupInHand, manifestHead } from './manifest-head.ts';

interface LogicalInHand extends BackupInHand {
  readonly databases: readonly ManifestDatabase[];
  readonly failed: readonly FailedDatabase[];
  readonly globals: LogicalManifest['logical']['globals'];
  readonly tool: string;
}

export function buildManifest(backup: LogicalInHand): LogicalManifest {
  const { databases, failed, globals } = backup;
  return {
    format: manifestFormat,
    method: 'Logical',
    type: 'Full',
    ...manifestHead(backup),
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
