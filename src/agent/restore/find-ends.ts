import { terminal } from '../../domain/failure.ts';
import { backupPath } from '../../domain/layout.ts';
import type { LogicalManifest } from '../../domain/manifest.ts';
import { readableNamespaces } from '../../domain/readable-namespaces.ts';
import type { RestoreTask } from '../../domain/task.ts';
import { readAccess } from '../../postgres/access.ts';
import { chooseServer } from '../../postgres/choose-server.ts';
import { readManifest } from '../../repository/backups.ts';
import { findBackup } from '../../repository/find-backup.ts';
import type { Identity } from '../../repository/identity.ts';
import { openEncrypted } from '../../repository/open-encrypted.ts';
import type { Store } from '../../repository/store.ts';
import type { Folders } from '../backup/run-backup.ts';
import { type BackupFolder, corrupted } from './fetch-object.ts';
import { type RestoreContext, readServer, type Target } from './work.ts';

/** The backup's folder and manifest, and proof that it can be decrypted. */
export async function findSource(
  store: Store,
  { namespace, repository, backup }: RestoreTask,
  { identity, signal }: { readonly identity: Identity; readonly signal: AbortSignal },
): Promise<{ readonly from: BackupFolder; readonly manifest: LogicalManifest }> {
  const readable = readableNamespaces(namespace, repository.spec);
  const path = backup.path ?? backupPath(await findBackup(store, backup.backupID, signal, readable));
  const { manifest } = await readManifest(store, path, { signal, expectedSha256: checksumsOf(backup) });
  if (manifest.backupID !== backup.backupID) {
    throw corrupted(`the manifest in ${path} of ${store.description} is that of backup ${manifest.backupID}`);
  }
  if (manifest.method !== 'Logical') {
    throw terminal(
      'WrongMethod',
      `Backup ${backup.backupID} is a physical one, which holds the whole server: it becomes a server of its own (target.instance, target.inPlace or target.ephemeral), and does not go into a running one.`,
    );
  }
  const identityFile = await openEncrypted({ store, path, manifest }, identity, signal);
  return { from: { store, path, compression: manifest.compression, identityFile }, manifest };
}

function checksumsOf({ checksum, otherChecksums = [] }: RestoreTask['backup']): readonly string[] | undefined {
  return checksum === undefined ? undefined : [checksum, ...otherChecksums];
}

/** The server to restore into: a primary. */
export async function findTarget({ task, signal }: RestoreContext, folders: Folders): Promise<Target> {
  const access = await readAccess(task.server, task.namespace, folders.access);
  const chosen = await chooseServer({ ...task.server, role: 'Primary' }, access, signal);
  if (chosen.facts.role !== 'Primary') {
    throw terminal(
      'NoPrimary',
      `${chosen.access.host} is a standby, which takes no changes. Name the primary as the target of the restore.`,
    );
  }
  return { chosen, server: await readServer(chosen, task, signal) };
}
