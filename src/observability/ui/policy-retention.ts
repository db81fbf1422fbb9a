import { type Content, html, type Markup } from './html.ts';
import { type Column, count, moment, size, table, verdict } from './parts.ts';
import type { PolicyView, RetentionView } from './policy-model.ts';

/** What retention is going to delete, and when; and what it keeps, and why. */
export function retentionSection({ retention, now }: PolicyView): Markup {
  const title = html`<h2 id="retention">Retention</h2>`;
  if (retention === undefined) return html`${title}<p>No rule: nothing is ever deleted.</p>`;
  const { plan, wal, more, planned, dryRun } = retention;
  const intro = html`<p>Planned ${moment(planned, now, { seconds: true })}.${dryRun && ' A dry run: nothing is deleted.'}</p>`;
  return html`${title}${intro}
${plan.length > 0 && table('retention', planColumns(now), plan)}
${more > 0 && html`<p class="quiet">${count(more)} more are not shown: <code>status.retention.plan</code></p>`}
${wal.length > 0 && html`<h3 id="retention-wal">WAL that no backup needs</h3>${table('retention-wal', walColumns(now), wal)}`}`;
}

const planColumns = (now: Date): readonly Column<RetentionView['plan'][number]>[] => [
  { name: 'Backup', isName: true, cell: ({ run }) => run },
  { name: 'Action', cell: ({ action }) => actionCell(action) },
  { name: 'Due', cell: ({ dueTime }) => (dueTime === undefined ? '' : moment(dueTime, now)) },
  { name: 'Repository', cell: ({ repository }) => repository },
  { name: 'Stored', cell: ({ bytes }) => size(bytes), kind: 'short' },
  { name: 'Reason', cell: ({ reason }) => reason, kind: 'long' },
];

const walColumns = (now: Date): readonly Column<RetentionView['wal'][number]>[] => [
  { name: 'Repository', isName: true, cell: ({ repository, timeline }) => html`${repository}, timeline ${timeline}` },
  { name: 'Before', cell: ({ before }) => (before === undefined ? 'all of it' : html`<code>${before}</code>`) },
  { name: 'Segments', cell: ({ segments }) => count(segments), kind: 'short' },
  { name: 'Stored', cell: ({ bytes }) => size(bytes), kind: 'short' },
  { name: 'Due', cell: ({ dueTime }) => (dueTime === undefined ? '' : moment(dueTime, now)) },
  { name: 'Reason', cell: ({ reason }) => reason, kind: 'long' },
];

function actionCell(action: string): Content {
  return action === 'Delete' ? verdict('attention', 'Delete') : action;
}
