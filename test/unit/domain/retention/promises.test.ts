import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Retention, retention as retentionSchema } from '../../../../src/api/retention.ts';
import type { RepositoryBackup } from '../../../../src/domain/retention/repository-backup.ts';
import { hasRule } from '../../../../src/domain/retention/rules.ts';
import { windowStart } from '../../../../src/domain/retention/window.ts';
import { History, size } from './history.ts';

/** Data, so that a history that breaks a promise is printed. */
type Step =
  | { readonly does: 'write'; readonly hours: number; readonly bytes: number }
  | { readonly does: 'full' | 'increment' }
  | { readonly does: 'dump'; readonly complete: boolean }
  | { readonly does: 'fork'; readonly share: number }
  | { readonly does: 'hold'; readonly place: number; readonly held: boolean };

const share = fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant('write' as const),
      hours: fc.integer({ min: 1, max: 200 }),
      bytes: fc.integer({ min: 1, max: 3 * size }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ does: fc.constantFrom('full' as const, 'full', 'increment') }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('dump' as const), complete: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('fork' as const), share }) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant('hold' as const), place: fc.nat(20), held: fc.boolean() }),
  },
);

function take(step: Step, history: History): void {
  if (step.does === 'write') history.write(step.hours, step.bytes);
  else if (step.does === 'dump') history.backUp('Logical', { complete: step.complete });
  else if (step.does === 'fork') history.fork(step.share);
  else if (step.does === 'hold') history.hold(step.place, step.held);
  else history.backUp('Physical', { increment: step.does === 'increment' });
}

const count = fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined });
const rules: fc.Arbitrary<Retention> = fc
  .record({
    recoveryWindow: fc.option(fc.constantFrom('12h', '3d', '2w', '1m'), { nil: undefined }),
    keepLast: count,
    keepDaily: count,
    keepWeekly: count,
    keepMonthly: count,
    keepYearly: count,
    minBackups: fc.integer({ min: 0, max: 3 }),
  })
  .map((each) => retentionSchema.parse(each))
  .filter(hasRule);
const zone = fc.constantFrom('Etc/UTC', 'Europe/Amsterdam', 'Pacific/Auckland', 'America/St_Johns');
const parameters = { numRuns: 150 };

test('every instant that the window promises stays restorable, whatever happens', () => {
  let checked = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), rules, zone, (steps, retention, timeZone) => {
      const history = new History();
      for (const each of steps) {
        take(each, history);
        history.expire(retention, timeZone);
        const start = windowStart(retention.recoveryWindow, history.now);
        if (start === undefined) continue;
        const [canNow, couldEver] = [history.restorableNow(), history.restorableEver()];
        for (const instant of history.instants) {
          if (instant.time < start || !couldEver(instant)) continue;
          checked += 1;
          expect(canNow(instant), `${instant.time.toISOString()} on ${instant.timeline}`).toBe(true);
        }
      }
    }),
    parameters,
  );
  expect(checked).toBeGreaterThan(1000);
});

test('every backup that a rule counts stays, and what is kept can be restored', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), rules, zone, (steps, retention, timeZone) => {
      const history = new History();
      for (const each of steps) {
        take(each, history);
        const before = history.backups;
        history.expire(retention, timeZone);
        const there = new Set(history.backups);
        for (const backup of promised(before, retention, timeZone)) expect(there).toContain(backup);
        for (const backup of before) if (backup.held) expect(there).toContain(backup);
        for (const { parent, physical } of history.backups) {
          if (parent !== undefined) expect(history.backups.map(({ backupID }) => backupID)).toContain(parent);
          if (physical === undefined) continue;
          const own = history.files.get(physical.timeline);
          for (let number = physical.begin / BigInt(size); number < physical.end / BigInt(size); number += 1n)
            expect(own?.has(number), `${physical.backupID} ${number}`).toBe(true);
        }
      }
    }),
    parameters,
  );
});

test('nothing is kept late for ever: after years of newer backups only what is held is left of the old', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 30 }), rules, zone, (steps, retention, timeZone) => {
      const history = new History();
      for (const each of steps) take(each, history);
      const old = new Set(history.ever.map(({ backupID }) => backupID));
      for (let year = 0; year < 6; year += 1) {
        history.write(366 * 24, size);
        for (const method of ['Physical', 'Logical'] as const) history.backUp(method);
      }
      history.write(1, 2 * size);
      history.expire(retention, timeZone);
      const left = history.backups.filter(({ backupID }) => old.has(backupID));
      const needed = withParents(
        history.backups.filter(({ held }) => held),
        history.backups,
      );
      expect(left.filter((backup) => !needed.has(backup))).toEqual([]);
      const physical = history.backups.flatMap((each) => each.physical ?? []);
      if (physical.some(({ backupID }) => old.has(backupID))) return;
      const first = physical.reduce((one, { begin }) => (begin < one ? begin : one), history.lsn) / BigInt(size);
      expect([...history.files.keys()]).toEqual([history.timeline]);
      const numbers = [...(history.files.get(history.timeline)?.keys() ?? [])];
      expect(numbers.filter((number) => number < first)).toEqual([]);
    }),
    parameters,
  );
});

const formats = new Map<string, Intl.DateTimeFormat>();

function dayIn(timeZone: string): (moment: Date) => string {
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat('sv-SE', { timeZone });
  formats.set(timeZone, format);
  return (moment) => format.format(moment);
}

/** By other means than the code's: text of the zone's own clock, and weeks counted from a Monday. */
function promised(
  backups: readonly RepositoryBackup[],
  retention: Retention,
  timeZone: string,
): readonly RepositoryBackup[] {
  return (['Logical', 'Physical'] as const).flatMap((method) => {
    const complete = backups
      .filter((each) => each.method === method && each.complete && isWhole(each, backups))
      .toSorted((one, other) => other.completionTime.getTime() - one.completionTime.getTime());
    const of = dayIn(timeZone);
    const weekOf = (day: string) => Math.floor((Date.parse(day) - Date.parse('2000-01-03')) / (7 * 86_400_000));
    const newestOfEach = (name: (day: string) => unknown, number = 0) => {
      const groups = new Map<unknown, RepositoryBackup>();
      for (const each of complete) {
        const group = name(of(each.startTime));
        if (!groups.has(group)) groups.set(group, each);
      }
      return [...groups.values()].slice(0, number);
    };
    return [
      ...complete.slice(0, Math.max(1, retention.minBackups, retention.keepLast ?? 0)),
      ...newestOfEach((day) => day, retention.keepDaily),
      ...newestOfEach(weekOf, retention.keepWeekly),
      ...newestOfEach((day) => day.slice(0, 7), retention.keepMonthly),
      ...newestOfEach((day) => day.slice(0, 4), retention.keepYearly),
    ];
  });
}

function isWhole(backup: RepositoryBackup, backups: readonly RepositoryBackup[]): boolean {
  if (backup.parent === undefined) return true;
  const parent = backups.find(({ backupID }) => backupID === backup.parent);
  return parent !== undefined && isWhole(parent, backups);
}

function withParents(
  backups: readonly RepositoryBackup[],
  all: readonly RepositoryBackup[],
): ReadonlySet<RepositoryBackup> {
  const found = new Set(backups);
  for (const each of found) for (const parent of all) if (parent.backupID === each.parent) found.add(parent);
  return found;
}
