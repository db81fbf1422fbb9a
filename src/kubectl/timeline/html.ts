import { bytes, duration } from '../../domain/display/quantities.ts';
import type { Drawing } from '../../domain/timeline/draw.ts';
import { laneName, sentences } from '../../domain/timeline/legend.ts';
import { svgTimeline } from '../../domain/timeline/svg.ts';
import { showInZone } from '../../domain/wall-clock.ts';
import { htmlPage, htmlTable, paragraphs, phaseCell } from './page.ts';

/** Rows of the table: a page for a ticket, not an archive. */
const most = 200;

/** The picture and what it shows in words, as one page. */
export function htmlTimeline(drawing: Drawing, timeZone: string): string {
  const at = (time: number) => showInZone(time, timeZone);
  const picture = ([name, width]: readonly [string, number]) =>
    `<div class="${name}">${svgTimeline(drawing, { width, timeZone, inPage: true })}</div>`;
  const marks = drawing.lanes.flatMap((lane) => lane.marks.map((mark) => ({ lane, mark })));
  const newest = marks.toSorted((a, b) => b.mark.to - a.mark.to).slice(0, most);
  const rows = newest.map(({ lane, mark }) => [
    mark.run,
    laneName(lane),
    phaseCell(mark.state),
    at(mark.from),
    mark.to > mark.from ? duration((mark.to - mark.from) / 1000) : undefined,
    bytes(mark.storedBytes),
    drawing.verified.some(({ kind, name }) => kind === 'Backup' && name === mark.run) ? 'yes' : undefined,
    mark.held ? 'yes' : undefined,
    mark.error,
  ]);
  const header = ['Run', 'Kind', 'State', 'Started', 'Took', 'Stored', 'Verified', 'Held', 'Error'];
  const caption = marks.length > most ? `The newest ${most} of ${marks.length} backups` : 'Backups, the newest first';
  return htmlPage(
    `${drawing.namespace}/${drawing.policy}`,
    [
      { markup: [['wide', 1000] as const, ['narrow', 380] as const].map(picture).join('\n') },
      paragraphs(sentences(drawing, timeZone)),
      htmlTable({ caption, header, rows }),
    ],
    `From ${at(drawing.from)} to ${at(drawing.to)}, ${timeZone}.`,
  );
}
