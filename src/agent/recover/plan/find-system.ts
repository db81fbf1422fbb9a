import { terminal } from '../../../domain/failure.ts';
import type { WalLocation } from '../../../domain/layout.ts';
import { readableNamespaces, refuseForeign } from '../../../domain/readable-namespaces.ts';
import { newestFirst } from '../../../domain/recovery/catalogue.ts';
import type { PlanRecoveryTask } from '../../../domain/task.ts';
import { findBackup } from '../../../repository/find-backup.ts';
import type { Store } from '../../../repository/store.ts';
import type { AgentLog } from '../../log.ts';
import { readBackups } from './read-catalogue.ts';

/**
 * Whose backups are meant: the server that is named, or the only one that this policy has ever protected; without a policy
 * the one whose backup has the ID.
 */
export async function findSystem(
  store: Store,
  { namespace: own, source, target }: Pick<PlanRecoveryTask, 'namespace' | 'source' | 'target'>,
  { log, signal }: { readonly log: AgentLog; readonly signal: AbortSignal },
): Promise<WalLocation> {
  const { repository, namespace, policy, systemIdentifier } = source;
  if (namespace === undefined || policy === undefined) {
    const readable = readableNamespaces(own, repository.spec);
    const { backupID: _, ...location } = await findBackup(store, target.backupID, signal, readable);
    return location;
  }
  const foreign = refuseForeign(repository, own, namespace);
  if (foreign !== undefined) throw foreign;
  const systems: string[] = [];
  for await (const folder of store.listFolders(`${namespace}/${policy}/`, { signal })) systems.push(folder);
  const [only, ...others] = systems;
  if (only === undefined) {
    throw terminal(
      'BackupNotFound',
      `${store.description} holds nothing of the policy ${namespace}/${policy}. Correct spec.source, or make a physical backup first.`,
    );
  }
  if (systemIdentifier !== undefined && systems.includes(systemIdentifier))
    return { namespace, policy, systemIdentifier };
  if (systemIdentifier === undefined && others.length === 0) return { namespace, policy, systemIdentifier: only };
  const described: string[] = [];
  for (const system of systems) {
    const found = await readBackups(store, { namespace, policy, systemIdentifier: system }, log, signal);
    const [newest] = newestFirst([...found.keys()]);
    described.push(
      `${system} (${newest === undefined ? 'no physical backup' : `newest backup ${newest.backupID}, whole at ${newest.time.toISOString()}`})`,
    );
  }
  const list = described.join(', ');
  throw systemIdentifier === undefined
    ? terminal(
        'AmbiguousSource',
        `The policy ${namespace}/${policy} has protected ${systems.length} servers into ${store.description}: ${list}. Name the one you mean in spec.source.repository.systemIdentifier.`,
      )
    : terminal(
        'BackupNotFound',
        `${store.description} holds nothing of the server ${systemIdentifier} under the policy ${namespace}/${policy}; it has ${list}. Make a physical backup of the present server, or recover one of those with spec.source.repository.systemIdentifier.`,
      );
}
