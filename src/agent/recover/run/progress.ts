import type { PitrRecoveryStatus, RecoveryPlan } from '../../../api/pitr-recovery.ts';
import { type Lsn, parseLsn } from '../../../domain/wal/lsn.ts';
import type { Reporter } from '../../report.ts';

export type RecoveryProgress = NonNullable<PitrRecoveryStatus['progress']>;

export interface Told {
  /** Written now and then, the newest only; never rejects, never waits. */
  say(progress: RecoveryProgress): void;
  /** What was said last has been written. */
  flush(): Promise<void>;
}

const between = 3000;

/** status.progress of a PitrRecovery, which the reporter keeps as one of its facts. */
export function tellProgress(reporter: Reporter, pause: number = between): Told {
  let latest: RecoveryProgress | undefined;
  let stage: RecoveryProgress['stage'];
  let writing: Promise<void> = Promise.resolve();
  let last = Number.NEGATIVE_INFINITY;
  let busy = false;
  const write = () => {
    if (latest === undefined) return;
    const progress = latest;
    latest = undefined;
    busy = true;
    last = performance.now();
    writing = reporter.facts({ progress }).finally(() => {
      busy = false;
    });
  };
  return {
    say(progress) {
      latest = progress;
      const changed = progress.stage !== stage;
      stage = progress.stage;
      if (!busy && (changed || performance.now() - last >= pause)) write();
    },
    async flush() {
      await writing;
      write();
      await writing;
    },
  };
}

/** Of the way from the backup's beginning to where replay is expected to end; 99 until it is known to have ended. */
export function replayedPercent(
  replayed: Lsn,
  plan: Pick<RecoveryPlan, 'beginLSN' | 'targetLSN' | 'endOfArchive'>,
): number {
  const begin = parseLsn(plan.beginLSN);
  const end = parseLsn(plan.targetLSN ?? plan.endOfArchive);
  if (end <= begin) return 99;
  const percent = Number(((replayed - begin) * 100n) / (end - begin));
  return Math.min(99, Math.max(0, percent));
}
