import type { Report, ReportRow } from './summarize.ts';

const columns: readonly (readonly [string, (row: ReportRow) => string | number | undefined])[] = [
  ['namespace', (row) => row.namespace],
  ['policy', (row) => row.policy],
  ['run', (row) => row.run],
  ['method', (row) => row.method],
  ['type', (row) => row.type],
  ['status', (row) => row.status],
  ['started', (row) => row.started],
  ['completed', (row) => row.completed],
  ['duration_seconds', (row) => row.seconds],
  ['source_bytes', (row) => row.sourceBytes],
  ['stored_bytes', (row) => row.storedBytes],
  ['compression_ratio', (row) => row.ratio],
  ['verified', (row) => row.verified],
  ['backup_id', (row) => row.backupID],
  ['error', (row) => row.error],
];

/** RFC 4180: a header, then a line for each backup, with what the policy is due next as the last column. */
export function csvReport({ runs, policies }: Report): string {
  const next = new Map(policies.map(({ namespace, policy, nextRun }) => [`${namespace}/${policy}`, nextRun]));
  const lines = runs.map((row) => [...columns.map(([, of]) => of(row)), next.get(`${row.namespace}/${row.policy}`)]);
  return [[...columns.map(([name]) => name), 'next_run'], ...lines]
    .map((cells) => `${cells.map(cell).join(',')}\r\n`)
    .join('');
}

/** A spreadsheet takes what begins so for a formula (OWASP, "CSV Injection"); an error message may be anybody's. */
const formula = /^[=+\-@\t\r]/;

function cell(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = formula.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
