import { createHash } from 'node:crypto';
import type { BackupRepositorySpec } from '../../api/backup-repository.ts';

/** How a place is reached, or written to, and not which place it is. */
const manner = new Set([
  'credentialsSecretRef',
  'caBundleSecretRef',
  'configSecretRef',
  'forcePathStyle',
  'storageClass',
  'checksumMode',
  'serverSideEncryption',
]);

/** A digest of what is looked at: the bucket and prefix, the volume's folder, the remote, and the namespaces in it. */
export function placeOf({ encryption: _, accessMode: __, ...spec }: BackupRepositorySpec): string {
  const text = JSON.stringify(spec, (key, value: unknown) => (manner.has(key) ? undefined : sorted(value)));
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}
