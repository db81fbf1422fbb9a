import { duration } from '../../domain/display/quantities.ts';
import { type Content, html, type Markup, made } from './html.ts';
import { verdict } from './parts.ts';
import type { blindness, Seen } from './seen.ts';
import { pageStyle } from './style.ts';

interface Page {
  readonly title: string;
  readonly body: Content;
  readonly now: Date;
  readonly seen: Pick<Seen, 'replica' | 'leads'>;
  /** Where this page is, without its refresh. */
  readonly address: string;
  /** Seconds after which the browser asks again, where the reader wanted that. */
  readonly refresh?: number | undefined;
}

/** One page that needs nothing else: no script, no picture, no letter from elsewhere. */
export function documentOf({ title, body, now, seen, address, refresh }: Page): string {
  const iso = now.toISOString();
  const again = refresh !== undefined && html`<meta http-equiv="refresh" content="${refresh}">`;
  const turn =
    refresh === undefined
      ? html`<a href="${withRefresh(address)}">Refresh every ${refreshSeconds} s</a>`
      : html`Refreshes every ${refresh} s. <a href="${address}">Stop</a>`;
  return `<!doctype html>
${html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${again}<title>${title}</title>
<style>${made(pageStyle)}</style>
</head>
<body>
<a class="skip" href="#main">To the content</a>
<header><a class="brand" href="/ui"><svg viewBox="0 0 24 16" aria-hidden="true" focusable="false"><path d="M1 11c2.75 0 2.75-3 5.5-3s2.75 3 5.5 3 2.75-3 5.5-3 2.75 3 5.5 3M1 4h22"/></svg>Tidemark</a>
<p>As of <time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>. ${turn}</p></header>
<main id="main" tabindex="-1">
${body}
</main>
<footer><p>Read only: what the operator knows of its own kinds, without asking anybody. Seen by the replica ${seen.replica}, which ${seen.leads() ? 'leads' : 'follows: it watches the same objects as the one that leads'}.</p></footer>
</body>
</html>`}
`;
}

export const refreshSeconds = 60;

function withRefresh(address: string): string {
  return `${address}${address.includes('?') ? '&' : '?'}refresh=on`;
}

/** What must be said before anything else is believed. */
export function blindNote(blind: ReturnType<typeof blindness>): Content {
  if (blind === undefined) return undefined;
  const words = blind.isFilled
    ? `This replica has not heard from the API server for ${duration(blind.staleFor / 1000)}. What follows was so before; how it is now is not known.`
    : 'This replica is still reading what there is. What is missing below is not known.';
  return html`<p class="note" role="status">${verdict('unknown')} ${words}</p>`;
}

export function policyAddress(namespace: string, name: string): string {
  const [first, second] = [namespace, name].map((part) => encodeURIComponent(part.toWellFormed()));
  return `/ui/policies/${first}/${second}`;
}

/** A page that says one thing. */
export function plainPage(title: string, words: string, rest: Omit<Page, 'title' | 'body' | 'refresh'>): string {
  const body: Markup = html`<h1>${title}</h1><p>${words}</p><p><a href="/ui">All policies</a></p>`;
  return documentOf({ ...rest, title: `${title} · Tidemark`, body });
}
