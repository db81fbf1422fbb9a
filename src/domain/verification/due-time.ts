import { nextFiring } from '../schedule.ts';
import { isYetToCome } from '../yet-to-come.ts';

export interface Timetable {
  readonly cron: string;
  readonly timeZone: string;
}

/** One that was made, whatever became of it. */
export interface Made {
  readonly scheduledTime: Date;
  /** By the API server's clock, which may lag behind: so the scheduled time counts too. */
  readonly startTime: Date;
}

/**
 * The time of the schedule that is to be done now, the first of those that were missed; undefined where none is. One that
 * is made late is made for all that were missed until then. Throws for a cron or time zone that cannot be read.
 */
export function dueTime(timetable: Timetable, since: Date, made: readonly Made[], now: Date): Date | undefined {
  const next = nextFiring(timetable.cron, timetable.timeZone, latestOf(since, made, now));
  return next === undefined || next > now ? undefined : next;
}

function latestOf(since: Date, made: readonly Made[], now: Date): Date {
  const times = made
    .flatMap(({ scheduledTime, startTime }) => [scheduledTime.getTime(), startTime.getTime()])
    .filter((time) => !isYetToCome(time, now));
  return new Date(Math.max(since.getTime(), ...times));
}

/** In a name: minutes since 1970, as CronJobs count. */
export function minuteOf(time: Date): string {
  return String(Math.floor(time.getTime() / 60_000));
}
