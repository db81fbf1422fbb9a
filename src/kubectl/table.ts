import stringWidth from 'string-width';
import { oneLine } from './terminal.ts';

type Cell = string | undefined;

/** Columns as kubectl prints them: three spaces between, nothing drawn, `-` where there is nothing to say. */
export function table(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = [header, ...rows.map((row) => row.map(shown))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => stringWidth(row[column] ?? ''))));
  const lines = cells.map((row) => row.map((cell, column) => padded(cell, widths[column] ?? 0)).join('   '));
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

/** `name:  value` lines, the values one below the other; a pair without a value is left out. */
export function pairs(entries: readonly (readonly [string, Cell])[]): string {
  const known = entries.filter((entry): entry is readonly [string, string] => (entry[1] ?? '') !== '');
  const width = Math.max(0, ...known.map(([name]) => stringWidth(name)));
  return known.map(([name, value]) => `${padded(`${name}:`, width + 1)}  ${oneLine(value)}\n`).join('');
}

/** At most so many columns wide; what is cut ends in three dots. */
export function fitted(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let cut = '';
  for (const { segment } of graphemes.segment(text)) {
    if (stringWidth(cut + segment) > width - 3) break;
    cut += segment;
  }
  return `${cut}...`;
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

function shown(cell: Cell): string {
  return oneLine(cell ?? '') || '-';
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)));
}
