import { Failure } from '../../domain/failure.ts';
import {
  type BackupType,
  chooseParent,
  type Forced,
  type ParentCandidate,
} from '../../domain/increment/choose-parent.ts';
import { requireIncrements } from '../../domain/increment/faulty-versions.ts';
import type { ChosenServer } from '../../postgres/choose-server.ts';
import { isBad } from '../../repository/verdicts.ts';
import type { BackupContext } from '../backup/run-backup.ts';
import type { Repository } from '../backup/targets.ts';
import { fetchWhole } from '../recover/run/unpack-chunk.ts';
import { readIncrementFacts } from './increment-facts.ts';
import {
  candidateOf,
  isWhole,
  type RepositoryCandidates,
  readCandidates,
  type StoredCandidate,
} from './read-candidates.ts';
import type { ServerSettings } from './server-facts.ts';

/** What kind of backup is going to be made. */
export type BackupPlan =
  /** `forced`: why it is full although an increment was asked for. */
  | { readonly type: 'Full'; readonly forced?: Forced }
  | {
      readonly type: Exclude<BackupType, 'Full'>;
      readonly parent: ParentCandidate;
      /** Of the manifests of all that it stands on, by repository and backup ID. */
      readonly digests: ReadonlyMap<string, ReadonlyMap<string, string>>;
      readonly chain: Chain;
      /** The files of the parent, as the server takes them. */
      readonly list: Buffer;
    };

export interface Chain {
  readonly fullBackupID: string;
  /** Backups that a restore combines, the new one included. */
  readonly length: number;
}

/** Chooses the parent of the increment that is asked for, and reads its list of files; a full backup where there is none. */
export async function planIncrement(
  context: BackupContext,
  repositories: readonly Repository[],
  server: ChosenServer,
  settings: ServerSettings,
): Promise<BackupPlan> {
  const { task, signal, log } = context;
  const { type } = task;
  if (type === 'Full') return { type };
  const { facts } = server;
  requireIncrements(facts.version, { allowFaulty: task.physical.allowFaultyIncrementals });
  const { summaries, position } = await readIncrementFacts(server.access, task.server.database, signal);
  const { systemIdentifier, timeline, version } = facts;
  const location = { namespace: task.namespace, policy: task.policy.name, systemIdentifier };
  const read = summaries.enabled ? await readCandidates(repositories, location, { log, signal }) : [];
  const judged = createJudge(context, read);
  for (;;) {
    const choice = chooseParent({
      type,
      server: { systemIdentifier, timeline, version, dataChecksums: settings.all.data_checksums === 'on', position },
      summaries,
      repositories: judged.candidates(),
    });
    if (choice.kind === 'Full') return fullInstead(context, choice);
    // Only what was chosen is looked at closely; what is found out may change the choice.
    if (await judged.learn(choice.chain)) continue;
    const list = await readList(choice.parent, read, signal);
    if (!Buffer.isBuffer(list)) return fullInstead(context, list);
    const chain = { fullBackupID: choice.chain.at(-1)?.backupID ?? '', length: choice.chain.length + 1 };
    return { type, parent: choice.parent, digests: digestsOf(choice.chain, read), chain, list };
  }
}

function digestsOf(members: readonly ParentCandidate[], read: readonly RepositoryCandidates[]) {
  return new Map(
    read.map(({ repository, backups }) => [
      repository.name,
      new Map(members.map(({ backupID }) => [backupID, backups.get(backupID)?.checksum ?? ''])),
    ]),
  );
}

export function fullInstead({ log, task }: BackupContext, { reason, message }: Forced): BackupPlan {
  log.warn({ asked: task.type, reason }, message);
  return { type: 'Full', forced: { reason, message } };
}

/** Remembers what was found out of those that were looked at closely. */
function createJudge(context: BackupContext, read: readonly RepositoryCandidates[]) {
  const { signal } = context;
  const damaged = new Set<StoredCandidate>();
  const distrusted = new Set<string>();
  const learned = new Set<string>();
  const isMarked = async (backupID: string) => {
    for (const { repository, backups } of read) {
      const stored = backups.get(backupID);
      if (stored !== undefined && (await isBad(repository.store, stored.path, signal))) return true;
    }
    return false;
  };
  return {
    candidates: () =>
      read.map(({ repository: { name }, backups }) => ({
        name,
        backups: [...backups.values()].map((stored) => ({
          ...candidateOf(stored),
          isWhole: !damaged.has(stored),
          isDistrusted: distrusted.has(stored.manifest.backupID),
        })),
      })),
    /** Whether something speaks against one of them. */
    async learn(chain: readonly ParentCandidate[]): Promise<boolean> {
      const before = damaged.size + distrusted.size;
      for (const { backupID } of chain) {
        if (learned.has(backupID)) continue;
        learned.add(backupID);
        for (const { repository, backups } of read) {
          const stored = backups.get(backupID);
          if (stored !== undefined && !(await isWhole(repository.store, stored, signal))) damaged.add(stored);
        }
        const run = read[0]?.backups.get(backupID)?.manifest.run ?? '';
        if ((await isMarked(backupID)) || (await context.isDistrusted?.({ run, backupID }))) distrusted.add(backupID);
      }
      return damaged.size + distrusted.size > before;
    },
  };
}

/** As the server wrote it, or as it was stored for those who have no identity. */
async function readList(
  { backupID }: ParentCandidate,
  read: readonly RepositoryCandidates[],
  signal: AbortSignal,
): Promise<Buffer | Forced> {
  let damage = '';
  for (const { repository, backups } of read) {
    const stored = backups.get(backupID);
    if (stored === undefined) continue;
    const { manifest, path } = stored;
    const { fileList, backupManifest } = manifest.physical;
    try {
      return await fetchWhole({ store: repository.store, path, manifest }, fileList ?? backupManifest, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Failure) || !['CorruptedBackup', 'ChecksumMismatch'].includes(error.reason)) throw error;
      damage = error.message;
    }
  }
  return {
    reason: 'ParentDamaged',
    message: `The list of files of backup ${backupID} is damaged: ${damage.slice(0, 500)} Nothing is made to stand on it.`,
  };
}
