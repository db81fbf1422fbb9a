import { styleText } from 'node:util';
import { duration } from '../../domain/display/quantities.ts';
import type { Drawing, Lane, MarkState } from '../../domain/timeline/draw.ts';
import { laneName, sentences } from '../../domain/timeline/legend.ts';
import { fraction, type Span } from '../../domain/timeline/spans.ts';
import { type Tick, ticksOf } from '../../domain/timeline/ticks.ts';
import { showInZone } from '../../domain/wall-clock.ts';
import { oneLine } from '../terminal.ts';

export interface TerminalShape {
  readonly columns: number;
  readonly colour: boolean;
  readonly unicode: boolean;
  readonly timeZone: string;
}

type Style = 'green' | 'red' | 'yellow' | 'cyan' | 'gray' | 'none';
interface Cell {
  readonly glyph: string;
  readonly style: Style;
}

const glyphs = {
  unicode: {
    ...{ Full: '◆', Differential: '◈', Incremental: '◇', Logical: '●', Failed: '✗', Cancelled: '⊘', Running: '▶' },
    ...{ Expired: '·', wal: '━', gap: '░', restorable: '▬', timeline: '─', verified: '✔', tick: '│', axis: '─' },
  },
  ascii: {
    ...{ Full: 'F', Differential: 'D', Incremental: 'I', Logical: 'L', Failed: 'X', Cancelled: 'C', Running: '>' },
    ...{ Expired: '.', wal: '=', gap: '?', restorable: '#', timeline: '-', verified: 'v', tick: '|', axis: '-' },
  },
} as const;
type Glyphs = Readonly<Record<keyof (typeof glyphs)['unicode'], string>>;

const stateStyles: Readonly<Record<MarkState, Style>> = {
  ...{ Completed: 'green', Failed: 'red', Cancelled: 'yellow', Running: 'yellow', Expired: 'gray' },
} as const;
/** Where two meet in one cell, the one that a person must see. */
const precedence: readonly MarkState[] = ['Failed', 'Running', 'Completed', 'Cancelled', 'Expired'];

/** The picture in text: a row a lane, a column so much time. */
export function terminalTimeline(drawing: Drawing, shape: TerminalShape): string {
  const signs = shape.unicode ? glyphs.unicode : glyphs.ascii;
  const rows = rowsOf(drawing, signs);
  const gutter = Math.max(...rows.map(([name]) => name.length)) + 2;
  const width = Math.max(20, shape.columns - gutter - 1);
  const ticks = ticksOf(drawing, shape.timeZone, Math.floor(width / 10));
  const lines = rows.map(([name, draw]) => name.padEnd(gutter) + painted(draw(width), shape.colour));
  const { namespace, policy, from, to, lanes } = drawing;
  const length = duration((to - from) / 1000);
  const title = `${namespace}/${policy}, ${showInZone(from, shape.timeZone)} to now, ${showInZone(to, shape.timeZone)} (${length})`;
  return [
    title,
    '',
    ...lines,
    ...axis(drawing, ticks, width, signs).map((line) => ' '.repeat(gutter) + line),
    '',
    ...legend(lanes, signs, shape),
    ...sentences(drawing, shape.timeZone).map(oneLine),
    '',
  ].join('\n');
}

type Row = readonly [name: string, draw: (width: number) => readonly Cell[]];

function rowsOf(drawing: Drawing, signs: Glyphs): readonly Row[] {
  const { lanes, wal, restorable, timelines, verified } = drawing;
  return [
    ...lanes.map((lane): Row => [laneName(lane), (width) => laneCells(lane, drawing, width, signs)]),
    ...(wal === undefined
      ? []
      : [
          [
            'WAL',
            (width: number) => {
              const cells = filled(blank(width), wal.covered, drawing, { glyph: signs.wal, style: 'cyan' });
              return filled(cells, wal.gaps, drawing, { glyph: signs.gap, style: 'red' });
            },
          ] as const,
        ]),
    ['Restorable', (width) => filled(blank(width), restorable, drawing, { glyph: signs.restorable, style: 'green' })],
    ...(timelines.length === 0 ? [] : [['Timeline', (width: number) => timelineCells(drawing, width, signs)] as const]),
    ...(verified.length === 0
      ? []
      : [
          [
            'Verified',
            (width: number) => {
              const moments = verified.map(({ at }) => ({ from: at, to: at }));
              return filled(blank(width), moments, drawing, { glyph: signs.verified, style: 'green' });
            },
          ] as const,
        ]),
  ];
}

function blank(width: number): readonly Cell[] {
  return Array.from({ length: width }, () => ({ glyph: ' ', style: 'none' }) as const);
}

function column(time: number, shown: Span, width: number): number {
  return Math.min(width - 1, Math.floor(fraction(time, shown) * width));
}

/** A span has at least one column, however short: what is not drawn is not believed. */
function filled(cells: readonly Cell[], spans: readonly Span[], shown: Span, cell: Cell): readonly Cell[] {
  const width = cells.length;
  const places = spans.map(({ from, to }) => [column(from, shown, width), column(to, shown, width)] as const);
  return cells.map((old, index) => (places.some(([first, last]) => index >= first && index <= last) ? cell : old));
}

function laneCells(lane: Lane, shown: Span, width: number, signs: Glyphs): readonly Cell[] {
  const whole = sign(lane, signs);
  const states = new Map<number, MarkState>();
  for (const { to, state } of lane.marks) {
    const at = column(to, shown, width);
    const before = states.get(at);
    if (before === undefined || precedence.indexOf(state) < precedence.indexOf(before)) states.set(at, state);
  }
  return blank(width).map((cell, index) => {
    const state = states.get(index);
    if (state === undefined) return cell;
    return { glyph: state === 'Completed' ? whole : signs[state], style: stateStyles[state] };
  });
}

function timelineCells({ timelines, ...shown }: Drawing, width: number, signs: Glyphs): readonly Cell[] {
  const cells = [...filled(blank(width), timelines, shown, { glyph: signs.timeline, style: 'gray' })];
  for (const { timeline, from } of timelines) {
    const digits = String(timeline);
    const at = Math.min(column(from, shown, width), width - digits.length);
    for (const [index, glyph] of [...digits].entries()) cells[at + index] = { glyph, style: 'none' };
  }
  return cells;
}

function painted(cells: readonly Cell[], colour: boolean): string {
  const text = cells.map(({ glyph, style }) => paint(style, glyph, colour)).join('');
  return text.trimEnd();
}

function paint(style: Style, text: string, colour: boolean): string {
  return colour && style !== 'none' ? styleText(style, text, { validateStream: false }) : text;
}

function axis(shown: Span, ticks: readonly Tick[], width: number, signs: Glyphs): readonly string[] {
  const line = Array.from({ length: width }, () => signs.axis);
  const labels = Array.from({ length: width }, () => ' ');
  let free = 0;
  for (const { at, label } of ticks) {
    const place = column(at, shown, width);
    line[place] = signs.tick;
    if (place < free || place + label.length > width) continue;
    for (const [index, letter] of [...label].entries()) labels[place + index] = letter;
    free = place + label.length + 1;
  }
  return [line.join(''), labels.join('').trimEnd()];
}

/** In as many lines as it takes. */
function legend(lanes: readonly Lane[], signs: Glyphs, { colour, columns }: TerminalShape): readonly string[] {
  const states = new Set(lanes.flatMap((lane) => lane.marks.map((mark) => mark.state)));
  const others = precedence.filter((state) => state !== 'Completed' && states.has(state));
  const entries: readonly (readonly [Style, string, string])[] = [
    ...lanes.map((lane) => ['green', sign(lane, signs), `${laneName(lane).toLowerCase()}, complete`] as const),
    ...others.map(
      (state) => [stateStyles[state], signs[state as Exclude<MarkState, 'Completed'>], state.toLowerCase()] as const,
    ),
    ...[['cyan', signs.wal, 'WAL'] as const, ['red', signs.gap, 'WAL missing'] as const],
    ['green', signs.restorable, 'restorable'],
  ];
  const lines: string[] = [];
  let used = columns;
  for (const [style, glyph, words] of entries) {
    const width = words.length + 5;
    const entry = `${paint(style, glyph, colour)} ${words}`;
    if (used + width > columns) lines.push(entry);
    else lines.push(`${lines.pop()}   ${entry}`);
    used = used + width > columns ? width : used + width;
  }
  return lines;
}

function sign({ method, type }: Lane, signs: Glyphs): string {
  return method === 'Logical' ? signs.Logical : signs[type];
}
