import type { Command } from 'commander';
import { drawTimeline } from '../../domain/timeline/draw.ts';
import { svgTimeline } from '../../domain/timeline/svg.ts';
import { get, list } from '../objects.ts';
import { output, type Run, subcommand } from '../options.ts';
import { sinceOption, sinceTime, zoneOption } from '../period.ts';
import { type Format, printAs } from '../print.ts';
import type { Session } from '../session.ts';
import { htmlTimeline } from '../timeline/html.ts';
import { terminalTimeline } from '../timeline/terminal.ts';

const svgWidth = 1000;

interface Options {
  readonly since?: string;
  readonly timeZone?: string;
  readonly output?: Format | 'svg' | 'html';
}

export function addTimeline(program: Command, run: Run): void {
  const description = 'draw backups, WAL, gaps, timelines, the restorable window and what is verified';
  zoneOption(sinceOption(output(subcommand(program, 'timeline <policy>', description), 'svg', 'html'))).action(
    run(timeline),
  );
}

export async function timeline(session: Session, name: string, options: Options): Promise<number> {
  const { terminal, clock } = session;
  const timeZone = options.timeZone ?? session.timeZone;
  const policy = await get(session, 'BackupPolicy', name);
  const [runs, recoveries] = await Promise.all([list(session, 'BackupRun'), list(session, 'PitrRecovery')]);
  const since = options.since === undefined ? undefined : sinceTime(options.since, clock.now(), timeZone);
  const drawing = drawTimeline(policy, { runs, recoveries, now: clock.now(), since });
  if (options.output === 'svg') terminal.out(svgTimeline(drawing, { width: svgWidth, timeZone }));
  else if (options.output === 'html') terminal.out(htmlTimeline(drawing, timeZone));
  else if (options.output !== undefined) printAs(terminal, options.output, drawing);
  else terminal.out(terminalTimeline(drawing, { ...terminal, timeZone }));
  return 0;
}
