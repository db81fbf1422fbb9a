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

/**
 * The longest time in seconds that passes between two firings of these schedules together, at most: each is looked at
 * alone, and the shortest of their longest pauses is taken. undefined where none fires twice.
 */
export function longestInterval(schedules: readonly Fires[], now: Date): number | undefined {
  const pauses = schedules.flatMap((schedule) => longestPause(schedule, now) ?? []);
  return pauses.length === 0 ? undefined : Math.min(...pauses);
}

interface Fires {
  readonly cron: string;
  readonly timeZone: string;
}

/** More than a week of daily firings, the most irregular that five fields commonly say. */
const looked = 9;
/** Counting firings costs milliseconds, and thousands of policies share their crons. */
const pauses = new Map<string, number | undefined>();
const mostPauses = 10_000;

function longestPause({ cron, timeZone }: Fires, now: Date): number | undefined {
  const key = `${cron} ${timeZone}`;
  if (!pauses.has(key)) {
    if (pauses.size === mostPauses) pauses.clear();
    const firings = isTimeZone(timeZone) ? parse(cron, timeZone).nextRuns(looked, now) : [];
    const between = firings.slice(1).map((time, index) => time.getTime() - (firings[index]?.getTime() ?? 0));
    pauses.set(key, between.length === 0 ? undefined : Math.max(...between) / 1000);
  }
  return pauses.get(key);
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
