import { colourStyle } from '../display/colours.ts';
import { escapeMarkup as escaped } from '../display/markup.ts';
import { bytes } from '../display/quantities.ts';
import { showInZone } from '../wall-clock.ts';
import type { Drawing, Lane, Mark, Proof } from './draw.ts';
import { laneName, sentences } from './legend.ts';
import { fraction, type Span } from './spans.ts';
import { ticksOf } from './ticks.ts';

export interface SvgShape {
  /** Of the drawing, in its own units; below 600 the names stand above their lanes. */
  readonly width: number;
  readonly timeZone: string;
  /** Within a page that has the colours already. */
  readonly inPage?: boolean;
}

const laneHeight = 26;
const top = 34;
const textSize = 12;

interface Frame {
  readonly drawing: Drawing;
  readonly left: number;
  readonly width: number;
  readonly rowHeight: number;
  readonly narrow: boolean;
  readonly timeZone: string;
}

/** The picture as one SVG file: no scripts, nothing from elsewhere; every mark says what it is when pointed at. */
export function svgTimeline(drawing: Drawing, { width, timeZone, inPage = false }: SvgShape): string {
  const narrow = width < 600;
  const left = narrow ? 10 : 150;
  const rowHeight = narrow ? laneHeight + 16 : laneHeight;
  const frame: Frame = { drawing, left, width: width - left - 16, rowHeight, narrow, timeZone };
  const rows = rowsOf(frame);
  const bottom = top + rows.length * rowHeight;
  const body = rows.map(([name, shapes], index) => row(frame, name, shapes, top + index * rowHeight));
  const title = `${drawing.namespace}/${drawing.policy}`;
  const described = sentences(drawing, timeZone).join(' ');
  const signs = legend(drawing, { width, top: bottom + 34 });
  const height = bottom + 34 + signs.height;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui, sans-serif" font-size="${textSize}"${inPage ? '' : ` width="${width}" height="${height}"`}>`,
    `<title>${escaped(title)}</title><desc>${escaped(described)}</desc>`,
    ...(inPage
      ? []
      : [`<style>${colourStyle}\n</style><rect width="${width}" height="${height}" fill="var(--ground)"/>`]),
    `<text x="${left}" y="18" fill="var(--text)" font-weight="600">${escaped(title)}</text>`,
    ...axis(frame, bottom),
    ...body,
    ...signs.markup,
    '</svg>\n',
  ].join('\n');
}

function rowsOf(frame: Frame): readonly (readonly [string, (middle: number) => string])[] {
  const { drawing } = frame;
  const { lanes, wal, restorable, timelines, verified } = drawing;
  const bars = (spans: readonly Span[], colour: string, what: string, middle: number) =>
    spans.map((span) => bar(frame, span, { colour, what, middle })).join('');
  return [
    ...lanes.map((lane) => [laneName(lane), (middle: number) => laneShapes(frame, lane, middle)] as const),
    ...(wal === undefined
      ? []
      : [
          [
            'WAL',
            (middle: number) =>
              bars(wal.covered, '--wal', 'WAL archived', middle) + bars(wal.gaps, '--bad', 'WAL missing', middle),
          ] as const,
        ]),
    ['Restorable', (middle) => bars(restorable, '--good', 'Restorable to any moment', middle)],
    ...(timelines.length === 0 ? [] : [['Timeline', (middle: number) => timelineShapes(frame, middle)] as const]),
    ...(verified.length === 0
      ? []
      : [
          [
            'Verified',
            (middle: number) =>
              verified
                .map((proof) =>
                  mark(frame, {
                    at: proof.at,
                    middle,
                    what: proofOf(frame, proof),
                    shape: tickShape,
                    colour: '--good',
                  }),
                )
                .join(''),
          ] as const,
        ]),
  ];
}

function proofOf({ timeZone }: Frame, { kind, name, on }: Proof): string {
  return `${kind === 'Backup' ? `${name} verified` : `Brought back by ${name}`} on ${showInZone(on, timeZone)}`;
}

function row(
  { left, width, rowHeight, narrow }: Frame,
  name: string,
  shapes: (middle: number) => string,
  y: number,
): string {
  const middle = y + rowHeight - laneHeight / 2;
  const label = narrow
    ? `<text x="${left}" y="${y + 12}" fill="var(--quiet)">${escaped(name)}</text>`
    : `<text x="${left - 10}" y="${middle + 4}" text-anchor="end" fill="var(--text)">${escaped(name)}</text>`;
  const line = `<line x1="${left}" y1="${middle}" x2="${left + width}" y2="${middle}" stroke="var(--line)"/>`;
  return `<g>${label}${line}${shapes(middle)}</g>`;
}

function axis(frame: Frame, bottom: number): readonly string[] {
  const { drawing, timeZone, width } = frame;
  return ticksOf(drawing, timeZone, Math.floor(width / 70)).map(({ at, label }) => {
    const x = place(frame, at);
    return `<line x1="${x}" y1="${top - 6}" x2="${x}" y2="${bottom}" stroke="var(--line)"/><text x="${x}" y="${bottom + 18}" text-anchor="middle" fill="var(--quiet)">${escaped(label)}</text>`;
  });
}

function place({ drawing, left, width }: Pick<Frame, 'drawing' | 'left' | 'width'>, time: number): number {
  return Math.round((left + fraction(time, drawing) * width) * 10) / 10;
}

interface Bar {
  readonly colour: string;
  readonly what: string;
  readonly middle: number;
}

function bar(frame: Frame, { from, to }: Span, { colour, what, middle }: Bar): string {
  const [x, end] = [place(frame, from), place(frame, to)];
  const wide = Math.max(2, Math.round((end - x) * 10) / 10);
  const times = `${showInZone(from, frame.timeZone)} to ${showInZone(to, frame.timeZone)}`;
  return `<rect x="${x}" y="${middle - 6}" width="${wide}" height="12" rx="2" fill="var(${colour})"><title>${escaped(`${what}: ${times}`)}</title></rect>`;
}

const diamond = 'M0-7 7 0 0 7-7 0Z';
const circle = 'M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0Z';
const crossShape = 'M-6-4-4-6 0-2 4-6 6-4 2 0 6 4 4 6 0 2-4 6-6 4-2 0Z';
const tickShape = 'M-6 0-4-2-1 1 4-5 6-3-1 5Z';
const playShape = 'M-5-6 6 0-5 6Z';
const barredShape = 'M-6-2H6V2H-6Z';

const colours = {
  Completed: '--good',
  Failed: '--bad',
  Cancelled: '--busy',
  Running: '--busy',
  Expired: '--past',
} as const;

function laneShapes(frame: Frame, lane: Lane, middle: number): string {
  return lane.marks.map((each) => markOf(frame, lane, each, middle)).join('');
}

function markOf(frame: Frame, { method, type }: Lane, each: Mark, middle: number): string {
  const { run, state, held, storedBytes, error } = each;
  const whole = method === 'Logical' ? circle : diamond;
  const shape = { Completed: whole, Expired: whole, Failed: crossShape, Cancelled: barredShape, Running: playShape }[
    state
  ];
  const stored = bytes(storedBytes);
  const what = [
    `${run}: ${state}`,
    ...(stored === undefined ? [] : [stored]),
    ...(held ? ['held'] : []),
    ...(error === undefined ? [] : [error]),
  ].join(', ');
  const hollow = type !== 'Full' && state === 'Completed';
  return mark(frame, { at: each.to, middle, what, shape, colour: colours[state], hollow });
}

const legendWidth = 118;
const legendHeight = 20;

/** What the shapes mean, those alone that are in the picture. */
function legend({ lanes, wal }: Drawing, { width, top: y }: { readonly width: number; readonly top: number }) {
  const marks = lanes.flatMap((lane) => lane.marks.map((each) => ({ lane, state: each.state })));
  const has = (fits: (each: (typeof marks)[number]) => boolean) => marks.some(fits);
  const complete = (each: (typeof marks)[number]) => each.state === 'Completed';
  const entries: readonly (readonly [boolean, string, string, string, boolean?])[] = [
    [
      has((each) => complete(each) && each.lane.method === 'Physical' && each.lane.type === 'Full'),
      diamond,
      '--good',
      'full',
    ],
    [has((each) => complete(each) && each.lane.type !== 'Full'), diamond, '--good', 'increment', true],
    [has((each) => complete(each) && each.lane.method === 'Logical'), circle, '--good', 'logical'],
    [has(({ state }) => state === 'Failed'), crossShape, '--bad', 'failed'],
    [has(({ state }) => state === 'Cancelled'), barredShape, '--busy', 'cancelled'],
    [has(({ state }) => state === 'Running'), playShape, '--busy', 'running'],
    [has(({ state }) => state === 'Expired'), diamond, '--past', 'expired'],
    [(wal?.covered.length ?? 0) > 0, blockShape, '--wal', 'WAL'],
    [(wal?.gaps.length ?? 0) > 0, blockShape, '--bad', 'WAL missing'],
  ];
  const across = Math.max(1, Math.floor((width - 20) / legendWidth));
  const shown = entries.filter(([present]) => present);
  const markup = shown.map(([, shape, colour, words, hollow = false], index) => {
    const x = 18 + (index % across) * legendWidth;
    const middle = y + Math.floor(index / across) * legendHeight;
    return `<path transform="translate(${x} ${middle})" d="${shape}" ${paintOf(colour, hollow)}/><text x="${x + 12}" y="${middle + 4}" fill="var(--quiet)">${words}</text>`;
  });
  return { markup, height: Math.ceil(shown.length / across) * legendHeight };
}

const blockShape = 'M-8-5H8V5H-8Z';

function paintOf(colour: string, hollow: boolean): string {
  return hollow ? `fill="var(--ground)" stroke="var(${colour})" stroke-width="2"` : `fill="var(${colour})"`;
}

interface Marked extends Bar {
  readonly at: number;
  readonly shape: string;
  readonly hollow?: boolean;
}

function mark(frame: Frame, { at, middle, what, shape, colour, hollow = false }: Marked): string {
  const words = escaped(`${what} (${showInZone(at, frame.timeZone)})`);
  return `<path transform="translate(${place(frame, at)} ${middle})" d="${shape}" ${paintOf(colour, hollow)}><title>${words}</title></path>`;
}

function timelineShapes(frame: Frame, middle: number): string {
  return frame.drawing.timelines
    .map(({ timeline, from, to }) => {
      const bars = bar(frame, { from, to }, { colour: '--past', what: `Timeline ${timeline}, as first seen`, middle });
      const atEnd = fraction(from, frame.drawing) > 0.95;
      const anchor = atEnd ? ' text-anchor="end"' : '';
      const x = place(frame, from) + (atEnd ? -4 : 4);
      return `${bars}<text x="${x}" y="${middle + 4}"${anchor} fill="var(--text)" font-weight="600">${timeline}</text>`;
    })
    .join('');
}
