import { terminal } from '../../domain/failure.ts';
import type { BackupLocation } from '../../domain/layout.ts';
import { backupPath } from '../../domain/layout.ts';
import type { CopyTask } from '../../domain/task.ts';
import { listBackups } from '../../repository/find-backup.ts';
import { identityOf } from '../../repository/identity.ts';
import { openStore } from '../../repository/open.ts';
import { openEncryption } from '../../repository/open-encryption.ts';
import { unopenedStore } from '../../repository/unopened-store.ts';
import type { ActionContext, ActionOutcome } from '../action.ts';
import { type Repository, requireWritable } from '../backup/targets.ts';
import type { ClaimOptions } from './claim-folder.ts';
import { copyArchive } from './copy-archive.ts';
import { type CopiedBackup, copyBackup } from './copy-backup.ts';
import type { Source } from './sources.ts';

export interface CopyContext extends ActionContext<CopyTask> {
  readonly claim: Pick<ClaimOptions, 'jobName' | 'pod' | 'runState'>;
  readonly folders?: { readonly mountRoot: string };
}

/** Copies backups, and the WAL behind them, into the first repository of the task from the others. */
export async function runCopy(context: CopyContext): Promise<ActionOutcome> {
  const { task, log, signal } = context;
  const { to, sources } = await openAll(task, context.folders?.mountRoot ?? '');
  try {
    const locations = await findLocations(task, sources, signal);
    const tally = { copied: 0, present: 0, bytes: 0, sent: 0, wal: 0 };
    // WAL before the backups: a base backup that is there without it could not be recovered.
    if (task.wal) {
      for (const location of serversOf(locations)) {
        const copied = await copyArchive(location, sources, to, { log, signal });
        tally.wal += copied;
        log.info({ copied, systemIdentifier: location.systemIdentifier }, 'copied WAL');
      }
    }
    for (const location of locations) {
      const done = await copyBackup({
        ...{ location, sources, to, log, signal },
        claim: { ...context.claim, deadlineSeconds: task.deadlineSeconds },
        onBytes: (bytes, sent) => {
          tally.bytes += bytes;
          if (sent) tally.sent += bytes;
          context.reporter.progress({ step: `copying ${location.backupID}`, bytesDone: String(tally.bytes) });
        },
      });
      tally[done.outcome === 'Copied' ? 'copied' : 'present'] += 1;
      log.info({ backupID: location.backupID, from: done.from, outcome: done.outcome }, 'a backup is there');
      await tell(context, location, done, to.name);
    }
    const again = tally.bytes - tally.sent;
    const message = `${count(tally.copied, 'backup')} copied to ${to.name}, ${tally.present} there already; ${tally.sent} bytes sent${again === 0 ? '' : `, ${again} bytes there from an earlier attempt`}; ${count(tally.wal, 'WAL file')} copied.`;
    return { reason: 'Copied', message };
  } finally {
    await Promise.allSettled([to, ...sources].map(({ store }) => store.close()));
  }
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

async function openAll(
  { repositories }: CopyTask,
  mountRoot: string,
): Promise<{ readonly to: Repository; readonly sources: readonly Source[] }> {
  const [target] = repositories;
  if (target === undefined) throw new Error('a copy to nowhere');
  requireWritable(target);
  const encryption = await openEncryption(target, 0, { mountRoot });
  const store = await openStore(target, 0, { mountRoot });
  const sources: Source[] = [];
  for (const [index, repository] of repositories.entries()) {
    if (index === 0) continue;
    const { name } = repository;
    const open = () => openStore(repository, index, { mountRoot });
    const opened = await open().catch(() => unopenedStore(name, open));
    sources.push({ name, store: opened, identity: identityOf(repository, index, { mountRoot }) });
  }
  return { to: { name: target.name, store, encryption }, sources };
}

/** The complete backups of the source, in the order of their IDs: what is copied first is the oldest. */
async function findLocations(
  { source, backups }: CopyTask,
  sources: readonly Source[],
  signal: AbortSignal,
): Promise<readonly BackupLocation[]> {
  const found = new Map<string, BackupLocation>();
  const failures: unknown[] = [];
  for (const { store } of sources) {
    try {
      for await (const { location, complete } of listBackups(store, signal, source)) {
        if (!complete || (backups !== undefined && !backups.includes(location.backupID))) continue;
        if (source.systemIdentifier !== undefined && location.systemIdentifier !== source.systemIdentifier) continue;
        found.set(backupPath(location), location);
      }
    } catch (error) {
      signal.throwIfAborted();
      failures.push(error);
    }
  }
  // All that there is cannot be told while a repository cannot be asked; one that is named and found is what was meant.
  const wanted = backups ?? [];
  const missing = wanted.filter((id) => ![...found.values()].some(({ backupID }) => backupID === id));
  if (failures.length > 0 && (backups === undefined || missing.length > 0)) throw failures[0];
  if (missing.length > 0 || found.size === 0) {
    throw terminal(
      'BackupNotFound',
      `No repository that is read (${sources.map(({ name }) => name).join(', ')}) has ${missing.length > 0 ? `a complete backup ${missing.join(', ')}` : 'a complete backup'} of ${source.namespace}/${source.policy}. See what lies there, and correct source and backups.`,
    );
  }
  return [...found.values()].toSorted((one, other) => (one.backupID < other.backupID ? -1 : 1));
}

function serversOf(locations: readonly BackupLocation[]): readonly BackupLocation[] {
  return [...new Map(locations.map((location) => [location.systemIdentifier, location])).values()];
}

/** The run's entry of this repository. */
async function tell(
  { task, reporter }: CopyContext,
  location: BackupLocation,
  { sha256, from }: CopiedBackup,
  name: string,
): Promise<void> {
  if (task.run === undefined) return;
  await reporter.facts({
    repositories: [
      {
        ...{ name, state: 'Stored', path: backupPath(location), checksum: sha256 },
        ...{ reason: 'Copied', message: `Copied from ${from} at ${new Date().toISOString()}.` },
      },
    ],
  });
}
