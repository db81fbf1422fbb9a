import { bytes, duration, secondsBetween, toNumber } from '../domain/display/quantities.ts';
import type { Work } from './objects.ts';
import { oneLine } from './terminal.ts';

const barWidth = 24;

interface Progress {
  readonly step?: string | undefined;
  readonly stage?: string | undefined;
  readonly bytesDone?: string | undefined;
  readonly bytesTotal?: string | undefined;
  readonly percent?: number | undefined;
  readonly bytesPerSecond?: string | undefined;
  readonly replayedTime?: string | undefined;
}

/** How far work is, in one line: a bar where that is known, and never a made-up one. */
export function progressLine(work: Work, now: Date, { unicode }: { readonly unicode: boolean }): string {
  const progress: Progress = work.status?.progress ?? {};
  const { bytesDone, bytesTotal, percent } = progress;
  const amount = [bytes(bytesDone), toNumber(bytesTotal) ? bytes(bytesTotal) : undefined].filter(Boolean).join(' of ');
  const speed = bytes(progress.bytesPerSecond);
  const running = secondsBetween(work.status?.startTime ?? work.metadata.creationTimestamp, now.toISOString());
  return [
    work.metadata.name,
    oneLine(step(work)),
    ...(percent === undefined ? [] : [`${bar(percent, unicode)} ${percent}%`]),
    ...(amount === '' ? [] : [amount]),
    ...(speed === undefined ? [] : [`${speed}/s`]),
    ...(progress.replayedTime === undefined ? [] : [`at ${oneLine(progress.replayedTime)}`]),
    ...(running === undefined ? [] : [duration(running)]),
    ...remaining(progress),
  ].join('  ');
}

/** What the work is at, in a word or a few. */
export function step({ status }: Work): string {
  const { step: doing, stage }: Progress = status?.progress ?? {};
  const phase = status?.phase ?? 'Pending';
  const what = doing ?? (stage === phase ? undefined : stage);
  const reason = status?.conditions?.find(({ type }) => type === 'Succeeded')?.reason;
  if (what !== undefined && what !== '') return `${phase}, ${what}`;
  return reason === undefined || reason === phase ? phase : `${phase} (${reason})`;
}

function bar(percent: number, unicode: boolean): string {
  const filled = Math.round((Math.min(100, Math.max(0, percent)) / 100) * barWidth);
  const [full, empty] = unicode ? ['█', '░'] : ['#', '.'];
  return `[${full.repeat(filled)}${empty.repeat(barWidth - filled)}]`;
}

function remaining({ bytesDone, bytesTotal, bytesPerSecond }: Progress): readonly string[] {
  const [done, total, speed] = [toNumber(bytesDone), toNumber(bytesTotal), toNumber(bytesPerSecond)];
  if (done === undefined || !total || !speed || total <= done) return [];
  return [`${duration((total - done) / speed)} left`];
}
