import { colourStyle } from '../../domain/display/colours.ts';
import { escapeMarkup as escaped } from '../../domain/display/markup.ts';

/** Cells of one row; a cell may be markup that was made here, or text of a user. */
export type PageCell = string | undefined | { readonly markup: string };

export interface PageTable {
  readonly caption: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly PageCell[])[];
}

/** Markup that is whole already; nothing of a user's goes in unescaped. */
export type Markup = { readonly markup: string };

const style = `
body { background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 1100px; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
.narrow { display: none; }
table { border-collapse: collapse; width: 100%; margin: 1.5rem 0; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
.short, td span { white-space: nowrap; } .long { min-width: 13rem; } .scroll { overflow-x: auto; }
th { color: var(--quiet); font-weight: 500; overflow-wrap: normal; }
.good { color: var(--good); } .bad { color: var(--bad); } .busy { color: var(--busy); } .past { color: var(--quiet); }
footer { color: var(--quiet); font-size: .8rem; }
@media (max-width: 900px) {
  .wide { display: none; } .narrow { display: block; }
  .short { white-space: normal; } .long { min-width: 0; } .scroll { overflow: visible; }
  thead { display: none; } tr { display: block; padding: .6rem 0; border-bottom: 1px solid var(--line); }
  td { display: flex; gap: .8rem; border: 0; padding: .1rem 0; }
  td::before { content: attr(data-name); flex: 0 0 7rem; color: var(--quiet); }
  td:empty, td.nothing { display: none; }
}
@media print { body { max-width: none; } }`;

/** One file that needs no other, no script and no network; read on a phone as on a desk, by day and by night. */
export function htmlPage(title: string, parts: readonly Markup[], footer: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${colourStyle}${style}
</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${parts.map(({ markup }) => markup).join('\n')}
<footer>${escaped(footer)}</footer>
</body>
</html>
`;
}

export function paragraphs(lines: readonly string[]): Markup {
  return { markup: lines.map((line) => `<p>${escaped(line)}</p>`).join('\n') };
}

export function htmlTable({ caption, header, rows }: PageTable): Markup {
  const head = header.map((name) => `<th scope="col">${escaped(name)}</th>`).join('');
  const body = rows.map((cells) => `<tr>${cells.map((cell, index) => td(cell, header[index] ?? '')).join('')}</tr>`);
  return {
    markup: `<div class="scroll" role="region" aria-label="${escaped(caption)}" tabindex="0">\n<table>\n<caption>${escaped(caption)}</caption>\n<thead><tr>${head}</tr></thead>\n<tbody>\n${body.join('\n')}\n</tbody>\n</table>\n</div>`,
  };
}

/** Letters of a name, a time or a figure, which are read as one; sentences are longer. */
const longestShort = 28;

function td(cell: PageCell, name: string): string {
  const content = typeof cell === 'object' ? cell.markup : escaped(cell ?? '');
  if (content === '') return `<td data-name="${escaped(name)}" class="nothing"></td>`;
  if (typeof cell === 'object') return `<td data-name="${escaped(name)}">${content}</td>`;
  const kind = (cell ?? '').length <= longestShort ? 'short' : 'long';
  return `<td data-name="${escaped(name)}" class="${kind}">${content}</td>`;
}

const classes: Readonly<Record<string, string>> = {
  ...{ Completed: 'good', Failed: 'bad', Running: 'busy', Pending: 'busy', Cancelled: 'busy', Expired: 'past' },
};

/** A phase in its colour, and in words: the colour alone says nothing. */
export function phaseCell(phase: string): Markup {
  return { markup: `<span class="${classes[phase] ?? 'past'}">${escaped(phase)}</span>` };
}
