import { Cron } from 'croner';

/**
 * When a schedule fires next after `after`; undefined for one that never does (31 February). Throws for a cron or a time
 * zone that is none, in words for a person. Five fields only, as a CronJob reads them.
 */
export function nextFiring(cron: string, timeZone: string, after: Date): Date | undefined {
  if (!isTimeZone(timeZone))
    throw new Error(`'${timeZone}' is no time zone that is known here; use a name such as Europe/Amsterdam`);
  const parsed = parse(cron, timeZone);
  return parsed.nextRun(after) ?? undefined;
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function parse(cron: string, timeZone: string): Cron {
  try {
    return new Cron(cron, { mode: '5-part', timezone: timeZone, paused: true });
  } catch (error) {
    throw new Error(`the cron '${cron}' cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
