import { duration } from '../display/quantities.ts';
import { showInZone } from '../wall-clock.ts';
import type { Drawing, Lane, MarkState, Proof } from './draw.ts';

export const laneName = ({ method, type }: Pick<Lane, 'method' | 'type'>): string =>
  method === 'Logical' ? 'Logical' : `Physical ${type.toLowerCase()}`;

const stateWords: Readonly<Record<MarkState, string>> = {
  Completed: 'complete',
  Failed: 'failed',
  Cancelled: 'cancelled',
  Running: 'running or pending',
  Expired: 'expired',
};

/** The picture in sentences: for those who cannot see it, and because a picture has no exact times. */
export function sentences(drawing: Drawing, timeZone: string): readonly string[] {
  const at = (time: number) => showInZone(time, timeZone);
  const { wal, window, restorable, unplacedGaps, verified } = drawing;
  const marks = drawing.lanes.flatMap((lane) => lane.marks);
  const counts = Object.entries(stateWords).flatMap(([state, words]) => {
    const count = marks.filter((mark) => mark.state === state).length;
    return count === 0 ? [] : [`${count} ${words}`];
  });
  const held = marks.filter((mark) => mark.held).length;
  const last = verified.toSorted((a, b) => a.on - b.on).at(-1);
  return [
    ...(window === undefined
      ? ['Restorable to any moment: nothing that is known.']
      : [
          `Restorable to any moment from ${at(window.from)} to ${at(window.to)}${restorable.length > 1 || (wal?.gaps.length ?? 0) > 0 ? ', but for what the gaps take' : ''}.`,
        ]),
    ...(wal === undefined ? ['WAL is not archived: only the moments at which backups ended can be restored.'] : []),
    ...(wal?.gaps ?? []).map(
      ({ from, to }) => `WAL is missing from ${at(from)} to ${at(to)} (${duration((to - from) / 1000)}).`,
    ),
    ...unplacedGaps.map(
      (gap) => `WAL is missing from ${gap}; at which time is not known, so the picture shows more than there may be.`,
    ),
    `Backups: ${counts.length === 0 ? 'none in this time' : counts.join(', ')}${held === 0 ? '' : `; ${held} held`}.`,
    last === undefined
      ? 'No moment of this time was ever brought back, as far as is known: kubectl tidemark drill.'
      : `Last proof on ${at(last.on)}: ${proofWords(last)} ${at(last.at)}.`,
  ];
}

function proofWords({ kind, name }: Proof): string {
  return kind === 'Backup' ? `backup ${name} was verified, which stands for` : `recovery ${name} brought back`;
}
