import { bytes, duration } from '../../domain/display/quantities.ts';
import { showInZone } from '../../domain/wall-clock.ts';
import { fitted, table } from '../table.ts';
import type { Report, ReportSummary } from './summarize.ts';

const errorWidth = 60;

export function textReport({ from, to, policies, runs }: Report, timeZone: string): string {
  const at = (time: string | undefined) => showTime(time, timeZone);
  const summaryHeader = [
    'POLICY',
    'RUNS',
    'COMPLETE',
    'FAILED',
    'STORED',
    'LONGEST',
    'LAST SUCCESS',
    'NEXT RUN',
    'LAST ERROR',
  ];
  const summary = policies.map((each) => [
    `${each.namespace}/${each.policy}`,
    ...[each.runs, each.completed, each.failed].map(String),
    bytes(each.storedBytes),
    each.longestSeconds === undefined ? undefined : duration(each.longestSeconds),
    at(each.lastSuccess),
    nextRun(each, timeZone),
    each.lastError && fitted(each.lastError.replaceAll(/\s+/g, ' '), errorWidth),
  ]);
  const header = ['STARTED', 'POLICY', 'RUN', 'METHOD', 'TYPE', 'STATUS', 'TOOK', 'SIZE', 'STORED', 'RATIO', 'ERROR'];
  const rows = runs.map((row) => [
    at(row.started),
    `${row.namespace}/${row.policy}`,
    row.run,
    row.method,
    row.type,
    row.status,
    row.seconds === undefined ? undefined : duration(row.seconds),
    bytes(row.sourceBytes),
    bytes(row.storedBytes),
    row.ratio?.toFixed(2),
    row.error && fitted(row.error.replaceAll(/\s+/g, ' '), errorWidth),
  ]);
  const period = `Backups from ${at(from)} to ${at(to)}`;
  const list = rows.length === 0 ? 'No backup began in this time.\n' : table(header, rows);
  return `${period}\n\n${table(summaryHeader, summary)}\n${list}`;
}

export function showTime(time: string | undefined, timeZone: string): string | undefined {
  const instant = Date.parse(time ?? '');
  return Number.isNaN(instant) ? undefined : showInZone(instant, timeZone);
}

export function nextRun({ suspended, nextRun: next }: ReportSummary, timeZone: string): string {
  return suspended ? 'suspended' : (showTime(next, timeZone) ?? 'none scheduled');
}
