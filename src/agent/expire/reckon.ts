import type { RetentionStatus } from '../../api/retention.ts';
import type { WalLocation } from '../../domain/layout.ts';
import { judgeBackups, type Verdict } from '../../domain/retention/judge-backups.ts';
import { asPublished, type PrunableWal, type Reckoned } from '../../domain/retention/plan.ts';
import { type Prunable, prunableWal } from '../../domain/retention/prunable-wal.ts';
import type { RepositoryBackup } from '../../domain/retention/repository-backup.ts';
import { windowStart } from '../../domain/retention/window.ts';
import type { ExpireTask } from '../../domain/task.ts';
import { listWalBefore } from './list-wal.ts';
import type { ReadRepository } from './read-repository.ts';

/** The default of initdb; where no backup says another, all of a timeline goes or nothing. */
const usualSegmentSize = 16 * 1024 ** 2;

/** What stays and what goes in one repository, the WAL counted. */
export async function reckon(
  repository: ReadRepository,
  task: ExpireTask,
  published: RetentionStatus,
  now: Date,
  signal: AbortSignal,
): Promise<Reckoned> {
  const { backups, wals, name, store } = repository;
  const verdicts = judgeBackups({ ...task, backups, wals, now });
  const stays = verdicts.filter(({ keep }) => keep).map(({ backup }) => backup);
  const wal: PrunableWal[] = [];
  for (const prunable of prunableOf(repository, stays, task, now)) {
    const segmentSize = segmentSizeOf(prunable.systemIdentifier, backups);
    const shown = task.retention.dryRun
      ? { ...prunable, more: false }
      : asPublished(name, prunable, segmentSize, published);
    const counted = { ...shown, segmentSize, segments: 0, bytes: 0 };
    for await (const file of listWalBefore(store, locationOf(task, prunable), counted, signal)) {
      counted.segments += Number(file.isSegment);
      counted.bytes += file.size;
    }
    if (counted.bytes > 0) wal.push(counted);
  }
  return { name, verdicts, wal };
}

/** Of what is there, all of which is taken for needed. */
export function prunableOf(
  { wals }: ReadRepository,
  kept: readonly RepositoryBackup[],
  { retention }: ExpireTask,
  now: Date,
): readonly Prunable[] {
  return prunableWal({ wals, kept, windowStart: windowStart(retention.recoveryWindow, now), now });
}

export function locationOf(
  { namespace, policy }: ExpireTask,
  { systemIdentifier }: Pick<Prunable, 'systemIdentifier'>,
): WalLocation {
  return { namespace, policy: policy.name, systemIdentifier };
}

function segmentSizeOf(systemIdentifier: string, backups: readonly RepositoryBackup[]): number {
  const own = backups.find((backup) => backup.systemIdentifier === systemIdentifier && backup.physical !== undefined);
  return own?.physical?.segmentSize ?? usualSegmentSize;
}

export function standing(verdicts: readonly Verdict[], removed: ReadonlySet<RepositoryBackup>) {
  return verdicts.map(({ backup }) => backup).filter((backup) => !removed.has(backup));
}
