import type { BackupContext } from '../../../src/agent/backup/run-backup.ts';
import { runPhysicalBackup } from '../../../src/agent/physical/run-physical-backup.ts';
import { backupPolicySpec } from '../../../src/api/backup-policy.ts';
import type { PhysicalManifest } from '../../../src/domain/manifest.ts';
import type { BackupTask } from '../../../src/domain/task.ts';
import { readManifest } from '../../../src/repository/backups.ts';
import type { Store } from '../../../src/repository/store.ts';
import type { TestServer } from '../../support/postgres/server.ts';
import { backupTask, recordingReporter, type Setting, type TaskOptions } from '../backup/setting.ts';

/** A server of which base backups can be made. */
export const settings = { wal_level: 'replica', full_page_writes: 'on', max_wal_senders: '4', max_wal_size: '256MB' };

export function physicalTask(
  server: TestServer,
  physical: object,
  { deadlineSeconds = 3600, ...options }: TaskOptions & { readonly deadlineSeconds?: number } = {},
): BackupTask {
  const { physical: parsed } = backupPolicySpec.parse({
    source: { host: server.host, credentialsSecretRef: { name: 'orders-db-backup' } },
    repositoryRefs: [{ name: 'local-disk' }],
    physical,
  });
  return { ...backupTask(server, options), method: 'Physical', physical: parsed, deadlineSeconds };
}

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

export async function backUpPhysically(setting: Setting, task: BackupTask, more: Partial<BackupContext> = {}) {
  const reporter = recordingReporter();
  const context = {
    task,
    reporter,
    attempt: { run: 'orders-manual', jobName: 'orders-manual', pod: 'orders-manual-1' },
    runState: async () => 'terminal' as const,
    log: quiet,
    signal: AbortSignal.timeout(120_000),
    folders: setting.folders,
    ...more,
  };
  try {
    return { reporter, outcome: await runPhysicalBackup(context) };
  } catch (error) {
    return { reporter, error };
  }
}

export async function physicalManifestOf(
  store: Store,
  status: Record<string, unknown>,
): Promise<{ readonly manifest: PhysicalManifest; readonly path: string }> {
  const [repository] = status.repositories as readonly { readonly path: string }[];
  const path = repository?.path ?? '';
  const signal = AbortSignal.timeout(120_000);
  const { manifest } = await readManifest(store, path, { signal, expectedSha256: String(status.checksum) });
  if (manifest.method !== 'Physical') throw new Error(`a manifest of method ${manifest.method}`);
  return { manifest, path };
}
