import { bytes, duration } from '../../domain/display/quantities.ts';
import { htmlPage, htmlTable, phaseCell } from '../timeline/page.ts';
import type { Report } from './summarize.ts';
import { nextRun, showTime } from './text.ts';

export function htmlReport({ from, to, policies, runs }: Report, timeZone: string): string {
  const at = (time: string | undefined) => showTime(time, timeZone);
  const summary = {
    caption: 'Policies',
    header: ['Policy', 'Runs', 'Complete', 'Failed', 'Stored', 'Longest', 'Last success', 'Next run', 'Last error'],
    rows: policies.map((each) => [
      `${each.namespace}/${each.policy}`,
      ...[each.runs, each.completed, each.failed].map(String),
      bytes(each.storedBytes),
      each.longestSeconds === undefined ? undefined : duration(each.longestSeconds),
      at(each.lastSuccess),
      nextRun(each, timeZone),
      each.lastError,
    ]),
  };
  const list = {
    caption: 'Backups, the newest first',
    header: ['Started', 'Policy', 'Run', 'Method', 'Type', 'Status', 'Took', 'Size', 'Stored', 'Ratio', 'Error'],
    rows: runs.map((row) => [
      at(row.started),
      `${row.namespace}/${row.policy}`,
      row.run,
      row.method,
      row.type,
      phaseCell(row.status),
      row.seconds === undefined ? undefined : duration(row.seconds),
      bytes(row.sourceBytes),
      bytes(row.storedBytes),
      row.ratio?.toFixed(2),
      row.error,
    ]),
  };
  return htmlPage(
    'Backup report',
    [htmlTable(summary), htmlTable(list)],
    `From ${at(from)} to ${at(to)}, ${timeZone}.`,
  );
}
