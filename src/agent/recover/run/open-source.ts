import { terminal } from '../../../domain/failure.ts';
import type { RecoverTask } from '../../../domain/task.ts';
import { historyName } from '../../../domain/wal/file-name.ts';
import { parseLsn } from '../../../domain/wal/lsn.ts';
import { parseTimelineHistory } from '../../../domain/wal/timeline-history.ts';
import { readManifest } from '../../../repository/backups.ts';
import type { Identity } from '../../../repository/identity.ts';
import { openEncrypted } from '../../../repository/open-encrypted.ts';
import type { Store } from '../../../repository/store.ts';
import { openWalArchive } from '../../../repository/wal-archive.ts';
import type { AgentLog } from '../../log.ts';
import { openMirrored } from '../../restore-sources.ts';
import type { BaseBackup } from './lay-base.ts';
import type { WalRange } from './wal-range.ts';
import { openWalSource, type WalSource } from './wal-source.ts';

export interface Source {
  readonly store: Store;
  readonly base: BaseBackup;
  /** Where that is an increment: what it stands on, the full backup first. */
  readonly parents: readonly BaseBackup[];
  readonly wal: WalSource;
  readonly range: WalRange;
  /** What was read elsewhere than in the first repository, for the last word. */
  readonly fallbacks: () => string;
}

/** The repository of a recovery, its base backup, and the WAL that follows. The caller closes the store. */
export async function openSource(
  { source, plan }: RecoverTask,
  mountRoot: string,
  { log, signal }: { readonly log: AgentLog; readonly signal: AbortSignal },
): Promise<Source> {
  const { store, identity, fallbacks } = await openMirrored(
    [source.repository, ...(source.others ?? [])],
    mountRoot,
    log,
  );
  try {
    const path = plan.backupPath;
    const { manifest } = await readManifest(store, path, { signal });
    if (manifest.method !== 'Physical' || manifest.backupID !== plan.backupID) {
      throw terminal(
        'WrongMethod',
        `${path} in ${store.description} is the ${manifest.method.toLowerCase()} backup ${manifest.backupID}, and the plan names the physical backup ${plan.backupID}: the repository was changed since. Create a new PitrRecovery.`,
      );
    }
    const identityFile = await openEncrypted({ store, path, manifest }, identity, signal);
    const base = { store, path, manifest, identityFile };
    const parents = await openParents(plan, store, identity, signal);
    const { namespace, policy, systemIdentifier } = plan;
    const archive = openWalArchive(store, { namespace, policy, systemIdentifier }, { identity });
    const wal = openWalSource(archive, { store, path, manifest, identity });
    return { store, base, parents, wal, range: await readRange(plan, wal, store, signal), fallbacks };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** By the digests that the plan has found: another content under the same name is refused. */
async function openParents(
  { parents = [] }: RecoverTask['plan'],
  store: Store,
  identity: Identity,
  signal: AbortSignal,
): Promise<readonly BaseBackup[]> {
  const opened: BaseBackup[] = [];
  for (const { backupID, path, checksum } of parents) {
    const { manifest } = await readManifest(store, path, { signal, expectedSha256: checksum });
    if (manifest.method !== 'Physical') throw new Error(`${backupID} is no physical backup`);
    opened.push({
      store,
      path,
      manifest,
      identityFile: await openEncrypted({ store, path, manifest }, identity, signal),
    });
  }
  return opened;
}

async function readRange(
  plan: RecoverTask['plan'],
  wal: WalSource,
  store: Store,
  signal: AbortSignal,
): Promise<WalRange> {
  const { targetTimeline: timeline, segmentSize, beginLSN, endOfArchive } = plan;
  const range = { begin: parseLsn(beginLSN), end: parseLsn(endOfArchive), timeline, segmentSize };
  if (timeline === 1) return { ...range, ancestors: [] };
  const history = await wal.get(historyName(timeline), { signal });
  if (history !== undefined) return { ...range, ancestors: parseTimelineHistory(history.toString('utf8')) };
  throw terminal(
    'TimelineUnreachable',
    `${historyName(timeline)} is not in ${store.description}, so that nobody can tell how timeline ${timeline} came to be. Bring the file back from a copy of the repository, or recover on another timeline (targetTLI).`,
  );
}
