import { restoreRequestSpec } from '../../../src/api/restore-request.ts';
import { type RestoreTask, task as taskSchema } from '../../../src/domain/task.ts';
import { volumeRepository } from '../../postgres/backup/setting.ts';
import type { TestServer } from '../../support/postgres/server.ts';

/** Brings one database of a backup back under another name. */
export function restoreTaskFor(
  { host, port }: Pick<TestServer, 'host' | 'port'>,
  backupID: string,
  { source, target }: { readonly source: string; readonly target: string },
): RestoreTask {
  const restore = restoreRequestSpec.parse({
    source: { repository: { repositoryRef: { name: volumeRepository.name }, backupID } },
    target: { server: { host, credentialsSecretRef: { name: 'orders-db-backup' } } },
    databases: [{ name: source, targetName: target }],
  });
  return taskSchema.parse({
    action: 'restore',
    namespace: 'shop',
    request: { name: 'request', uid: 'the-uid' },
    repository: volumeRepository,
    backup: { backupID },
    server: { hosts: [host], port, database: 'postgres', role: 'Primary', credentialsSecretName: 'orders-db-backup' },
    restore,
  }) as RestoreTask;
}
