import { bytes, relative } from '../../domain/display/quantities.ts';
import type { Level } from '../../domain/health/finding.ts';
import { type Content, html, type Markup } from './html.ts';

export const levelWords: Readonly<Record<Level, string>> = {
  failing: 'Failing',
  unknown: 'Not known',
  attention: 'Needs a look',
  suspended: 'Suspended',
  unproven: 'Never proven',
  sound: 'Protected',
};

/** Its shape tells the level without its colour; the words beside it tell it to those who see neither. */
export function icon(level: Level): Markup {
  return html`<svg class="icon ${level}" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d="${shapes[level]}"/></svg>`;
}

const shapes: Readonly<Record<Level, string>> = {
  failing: 'M3.2 1.8 8 6.6l4.8-4.8 1.4 1.4L9.4 8l4.8 4.8-1.4 1.4L8 9.4l-4.8 4.8-1.4-1.4L6.6 8 1.8 3.2Z',
  unknown: 'M5 5.6a3 3 0 1 1 4.6 2.6C9 8.6 9 8.9 9 9.5H7c0-1.3.3-2 1.3-2.7A1.1 1.1 0 1 0 7 5.6ZM7 11h2v2.2H7Z',
  attention: 'M8 1 15.5 14.5H.5ZM7.1 6v4h1.8V6ZM7.1 11.2V13h1.8v-1.8Z',
  suspended: 'M3.5 2.5h3v11h-3ZM9.5 2.5h3v11h-3Z',
  unproven: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13Zm0 2a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9Z',
  sound: 'M1.6 8.6 3.1 7l3.2 3.2L12.9 3l1.6 1.4-8.1 9Z',
};

export function verdict(level: Level, words: string = levelWords[level]): Markup {
  return html`<span class="verdict ${level}">${icon(level)} ${words}</span>`;
}

export const unknown: Markup = html`<span class="quiet">not known</span>`;

/** A time in UTC with its age; not known where it is none. */
export function moment(time: string | undefined, now: Date, { seconds = false } = {}): Markup {
  const instant = Date.parse(time ?? '');
  if (time === undefined || Number.isNaN(instant)) return unknown;
  const iso = new Date(instant).toISOString();
  const shown = `${iso.slice(0, 10)} ${iso.slice(11, seconds ? 19 : 16)} UTC`;
  return html`<span class="moment"><span class="age">${relative(time, now)}</span> <time datetime="${iso}">${shown}</time></span>`;
}

export interface Column<Row> {
  readonly name: string;
  readonly cell: (row: Row) => Content;
  /** Its cell names the row. */
  readonly isName?: boolean;
  /** short: of words that never break; several: of a few lines; long: of sentences; main: what a reader looks for, which needs no name on a phone. */
  readonly kind?: 'short' | 'several' | 'long' | 'main';
}

/**
 * A table that becomes a list of cards where it has no room. The roles are said again, since browsers forget a table whose
 * parts are laid out as blocks.
 */
export function table<Row>(labelledBy: string, columns: readonly Column<Row>[], rows: readonly Row[]): Markup {
  const head = columns.map(({ name }) => html`<th scope="col" role="columnheader">${name}</th>`);
  const body = rows.map(
    (row) => html`<tr role="row">${columns.map(({ name, cell, isName = false, kind }) => {
      const content = html`<span class="cell">${cell(row)}</span>`;
      return isName
        ? html`<th scope="row" role="rowheader">${content}</th>`
        : html`<td role="cell" data-name="${name}"${kind !== undefined && html` class="${kind}"`}>${content}</td>`;
    })}</tr>
`,
  );
  return html`<div class="scroll" role="region" aria-labelledby="${labelledBy}" tabindex="0">
<table role="table" aria-labelledby="${labelledBy}"><thead role="rowgroup"><tr role="row">${head}</tr></thead>
<tbody role="rowgroup">
${body}</tbody></table></div>`;
}

interface Pages {
  readonly page: number;
  readonly pages: number;
  readonly total: number;
  readonly first: number;
  readonly items: readonly unknown[];
}

/** Which share is shown, of how many, and the way to the others; nothing where it is all. */
export function pager(
  { page, pages, total, first, items }: Pages,
  what: string,
  addressOf: (page: number) => string,
): Content {
  if (pages === 1) return undefined;
  const link = (to: number, words: string) => html`<a href="${addressOf(to)}">${words}</a>`;
  return html`<nav class="pager" aria-label="Pages of ${what}"><span>${what} ${count(first)} to ${count(first + items.length - 1)} of ${count(total)}</span>
${page > 1 && link(page - 1, `Previous ${what}`)} ${page < pages && link(page + 1, `Next ${what}`)}</nav>`;
}

/** Decimal units; what is no number is not known. */
export function size(value: string | undefined): Content {
  return bytes(value) ?? unknown;
}

export function count(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** Figures stay with their units: no line begins with an `s`. */
export function unbroken(text: string): string {
  return text.replaceAll(/(?<=[0-9]) (?=[a-zA-Z])/g, '\u00a0');
}

/** So many characters at most, in whole ones. */
export function fitted(text: string, most: number): string {
  const letters = [...text];
  return letters.length <= most ? text : `${letters.slice(0, most - 1).join('')}…`;
}
