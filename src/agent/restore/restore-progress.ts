import type { Reporter } from '../report.ts';

/** How far a restore is: fetching is the first part of the way, pg_restore's objects are the rest. */
export interface RestoreProgress {
  fetching(step: string): void;
  fetched(bytes: number): void;
  restoring(step: string, objectsDone: number): void;
  /** A database is done: all of its objects count. */
  finished(objects: number): void;
  /** Everything is in, and was questioned. */
  complete(): void;
}

const fetchShare = 30;

export function createRestoreProgress(
  reporter: Pick<Reporter, 'progress'>,
  bytesTotal: number,
): RestoreProgress & {
  readonly expect: (objects: number) => void;
} {
  let step = '';
  let bytes = 0;
  let total = 0;
  let done = 0;
  const fetchedPercent = () => (bytesTotal === 0 ? fetchShare : Math.floor((bytes / bytesTotal) * fetchShare));
  const report = (text: string, percent: number, most = 99) => {
    reporter.progress({
      step: [...text].slice(0, 256).join(''),
      bytesDone: String(bytes),
      bytesTotal: String(bytesTotal),
      // 100 is for a restore that is complete.
      percent: Math.min(most, percent),
    });
  };
  return {
    fetching(text) {
      step = text;
      report(step, fetchedPercent());
    },
    fetched(more) {
      bytes += more;
      report(step, fetchedPercent());
    },
    expect(objects) {
      total = objects;
    },
    restoring(text, objects) {
      const share = total === 0 ? 0 : Math.floor(((done + objects) / total) * (100 - fetchShare));
      report(text, fetchShare + share);
    },
    finished(objects) {
      done += objects;
    },
    complete() {
      report('restored', 100, 100);
    },
  };
}
