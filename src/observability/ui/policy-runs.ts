import { html, type Markup } from './html.ts';
import { type Column, count, moment, pager, table, unknown, verdict } from './parts.ts';
import type { PolicyView } from './policy-model.ts';
import type { RunRow } from './run-row.ts';

export function runsSection({ runs, now }: PolicyView, addressOf: (page: number) => string): Markup {
  const columns: readonly Column<RunRow>[] = [
    { name: 'Backup', isName: true, cell: ({ name }) => name },
    { name: 'State', cell: stateCell },
    {
      name: 'Method',
      cell: ({ method, type }) => html`${method}${type !== undefined && html` <span class="under">${type}</span>`}`,
      kind: 'short',
    },
    { name: 'Started', cell: ({ started }) => moment(started, now) },
    { name: 'Took', cell: ({ took }) => took ?? unknown, kind: 'short' },
    { name: 'Size', cell: sizeCell, kind: 'short' },
    { name: 'Repositories', cell: repositoriesCell },
    { name: 'Verified', cell: ({ verified }) => verifiedCell(verified, now) },
    { name: 'Message', cell: ({ message }) => message, kind: 'long' },
  ];
  return html`<h2 id="backups">Backups${runs.total > 0 && html` <span class="quiet">${count(runs.total)}, the newest first</span>`}</h2>
${runs.total === 0 ? html`<p>No backup is known.</p>` : table('backups', columns, runs.items)}
${pager(runs, 'backups', (page) => `${addressOf(page)}#backups`)}`;
}

function stateCell({ phase, percent, held }: RunRow): Markup {
  const words = `${phase}${percent === undefined ? '' : ` ${percent} %`}`;
  return html`${phaseVerdict(phase, words)}${held && html`<span class="under">held</span>`}`;
}

const phaseLevels = {
  Completed: 'sound',
  Failed: 'failing',
  Cancelled: 'attention',
  Expired: 'suspended',
} as const;

/** Of any of the kinds; what is neither of these is under way. */
export function phaseVerdict(phase: string, words: string = phase): Markup {
  return verdict(
    Object.hasOwn(phaseLevels, phase) ? phaseLevels[phase as keyof typeof phaseLevels] : 'unproven',
    words,
  );
}

function sizeCell({ source, stored, ratio }: RunRow): Markup {
  if (source === undefined && stored === undefined) return unknown;
  const packed = ratio !== undefined && html`<span class="under">${ratio} to 1</span>`;
  return html`${source ?? unknown} <span class="under">${stored ?? 'not known'} stored</span>${packed}`;
}

function repositoriesCell({ repositories }: RunRow): Markup {
  if (repositories.length === 0) return unknown;
  return html`${repositories.map(
    ({ name, state, why }) =>
      html`<span class="line"><span class="whole">${name}: ${state.toLowerCase()}</span>${why !== undefined && html` <span class="under">${why}</span>`}</span>`,
  )}`;
}

function verifiedCell(verified: RunRow['verified'], now: Date): Markup {
  if (verified === 'Bad') return verdict('failing', 'Found bad');
  return verified === undefined ? html`<span class="quiet">never</span>` : moment(verified.time, now);
}
