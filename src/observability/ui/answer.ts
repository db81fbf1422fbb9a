import { documentOf, plainPage, policyAddress, refreshSeconds } from './layout.ts';
import { overviewOf } from './overview-model.ts';
import { overviewAddress, overviewPage } from './overview-page.ts';
import { policyViewOf } from './policy-model.ts';
import { policyPage } from './policy-page.ts';
import { routeOf } from './route.ts';
import { blindness, type Seen } from './seen.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the page at an address says now, of what is seen; it asks nobody and changes nothing. */
export function answerOf(address: string, seen: Seen, now: Date): Answer {
  const route = routeOf(address);
  if (route.page === 'Home') return { status: 302, headers: { location: '/ui' }, body: '' };
  if (route.page === 'Icon') return { status: 204, headers: {}, body: '' };
  const rest = { now, seen, address: '/ui' };
  const say = (status: number, title: string, words: string) => page(status, plainPage(title, words, rest));
  if (route.page === 'Nothing') return say(404, 'There is no such page', 'What you followed leads nowhere.');
  const refresh = route.refresh ? refreshSeconds : undefined;
  if (route.page === 'Overview') {
    const overview = overviewOf(seen, { namespace: route.namespace, page: route.number }, now);
    const at = overviewAddress(route.namespace, overview.page.page);
    const body = overviewPage(overview);
    return page(statusOf(seen), documentOf({ ...rest, title: 'Tidemark: policies', body, address: at, refresh }));
  }
  const { namespace, name } = route;
  const view = policyViewOf(seen, { namespace, name, page: route.number }, now);
  if (view === undefined)
    return say(404, 'No such policy', 'This replica knows no BackupPolicy of that name: it was deleted, or never was.');
  const at = `${policyAddress(namespace, name)}${view.runs.page === 1 ? '' : `?page=${view.runs.page}`}`;
  return page(
    statusOf(seen),
    documentOf({ ...rest, title: `${namespace}/${name} · Tidemark`, body: policyPage(view), address: at, refresh }),
  );
}

/** Of a page that cannot be made; what was in its way is for the log. */
export function failureOf(seen: Seen, now: Date): Answer {
  const words =
    'Something that it is to show cannot be read. The operator’s log has the reason; kubectl tidemark status shows what can be read.';
  return page(500, plainPage('This page cannot be shown', words, { now, seen, address: '/ui' }));
}

/** What is read by programs must not take a view that is not filled for a whole one. */
function statusOf(seen: Seen): number {
  return blindness(seen)?.isFilled === false ? 503 : 200;
}

function page(status: number, body: string): Answer {
  return { status, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
}
