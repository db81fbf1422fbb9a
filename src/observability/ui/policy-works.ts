import { duration } from '../../domain/display/quantities.ts';
import { html, type Markup } from './html.ts';
import { type Column, count, moment, table, unknown, verdict } from './parts.ts';
import type { PolicyView } from './policy-model.ts';
import { phaseVerdict } from './policy-runs.ts';
import type { Work } from './works.ts';

/** What was brought back, what that took, and what it would have lost. */
export function worksSection({ works, now }: PolicyView): Markup {
  const seconds = (value: number | undefined) => (value === undefined ? unknown : duration(value));
  const columns: readonly Column<Work>[] = [
    { name: 'Name', isName: true, cell: ({ name, kind }) => html`${name} <span class="under">${kind}</span>` },
    { name: 'State', cell: ({ phase }) => phaseVerdict(phase) },
    { name: 'Started', cell: ({ started }) => moment(started, now) },
    { name: 'What', cell: ({ what }) => what },
    { name: 'To recover', cell: (work) => seconds(work.seconds), kind: 'short' },
    {
      name: 'Data lost',
      cell: ({ kind, lostSeconds }) => (isOfBackup(kind) ? '' : seconds(lostSeconds)),
      kind: 'short',
    },
    { name: 'Objectives', cell: ({ objectives }) => objectivesCell(objectives) },
    { name: 'Message', cell: ({ message }) => message, kind: 'long' },
  ];
  const more = works.total - works.items.length;
  return html`<h2 id="restores">Restores, recoveries, drills${works.total > 0 && html` <span class="quiet">${count(works.total)}, the newest first</span>`}</h2>
${works.total === 0 ? html`<p>None is known: nobody has tried.</p>` : table('restores', columns, works.items)}
${more > 0 && html`<p class="quiet">${count(more)} older ones are not shown: <code>kubectl get pitrrecoveries,restorerequests</code></p>`}`;
}

/** A dump holds the moment at which it was made: there is nothing to lose of it. */
function isOfBackup(kind: Work['kind']): boolean {
  return kind === 'Restore';
}

function objectivesCell(objectives: Work['objectives']): Markup {
  if (objectives === undefined) return html`<span class="quiet">not measured</span>`;
  return verdict(objectives === 'met' ? 'sound' : 'attention', objectives);
}
