import { findCondition } from '../../domain/conditions.ts';
import { html, type Markup } from './html.ts';
import { type Column, count, moment, size, table, unknown, verdict } from './parts.ts';
import type { PolicyView } from './policy-model.ts';

type Named = PolicyView['repositories'][number];

export function repositoriesSection({ repositories, now }: PolicyView): Markup {
  const columns: readonly Column<Named>[] = [
    { name: 'Repository', isName: true, cell: ([name]) => name },
    { name: 'State', cell: stateCell },
    {
      name: 'Backups',
      cell: ([, of]) => (of?.status?.backups === undefined ? unknown : count(of.status.backups)),
      kind: 'short',
    },
    { name: 'Stored', cell: ([, of]) => size(of?.status?.storedBytes), kind: 'short' },
    { name: 'Last looked through', cell: ([, of]) => moment(of?.status?.lastSyncTime, now) },
    { name: 'Message', cell: ([, of]) => findCondition(of?.status?.conditions, 'Ready')?.message, kind: 'long' },
  ];
  return html`<h2 id="repositories">Repositories</h2>${table('repositories', columns, repositories)}`;
}

function stateCell([, repository]: Named): Markup {
  if (repository === undefined) return verdict('failing', 'There is none');
  const ready = findCondition(repository.status?.conditions, 'Ready')?.status;
  if (ready === 'True')
    return verdict('sound', repository.spec.accessMode === 'ReadOnly' ? 'Ready, read-only' : 'Ready');
  return ready === 'False' ? verdict('failing', 'Not ready') : verdict('unknown', 'Not known');
}
