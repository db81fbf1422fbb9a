import type { Command } from 'commander';
import { isTimeZone } from '../domain/schedule.ts';
import { usage } from './exit-code.ts';
import { parseDuration } from './parse-duration.ts';
import { parsePastMoment } from './parse-moment.ts';

export function sinceOption(command: Command): Command {
  return command.option(
    '--since <time>',
    'from so long ago (36h, 14d, 8w), or from a time ("monday 9:00", 2026-11-01T00:00:00Z)',
  );
}

export function zoneOption(command: Command): Command {
  const words = "in which times are meant and shown, such as Europe/Amsterdam; default: this machine's";
  return command.option('--time-zone <name>', words, timeZoneOption);
}

export function timeZoneOption(name: string): string {
  if (!isTimeZone(name))
    throw usage(`${JSON.stringify(name)} is no time zone that is known here: write Europe/Amsterdam.`);
  return name;
}

export function sinceTime(text: string, now: Date, timeZone: string): Date {
  const ago = parseDuration(text);
  return new Date(ago === undefined ? parsePastMoment(text, now, timeZone) / 1000 : now.getTime() - ago);
}
