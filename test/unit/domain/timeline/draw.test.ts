import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawTimeline } from '../../../../src/domain/timeline/draw.ts';
import { cut, fraction } from '../../../../src/domain/timeline/spans.ts';
import { ticksOf } from '../../../../src/domain/timeline/ticks.ts';
import { policy, recovery, run, story } from '../../kubectl/objects.ts';

const now = new Date('2026-11-21T10:15:00Z');
const at = (text: string) => Date.parse(text);
const show = (spans: readonly { from: number; to: number }[]) =>
  spans.map(
    ({ from, to }) => `${new Date(from).toISOString().slice(0, 16)} ${new Date(to).toISOString().slice(0, 16)}`,
  );

describe('the drawing of a policy', () => {
  const drawn = () => {
    const { policy: orders, runs } = story();
    return drawTimeline(orders, { runs, now });
  };

  test('has a lane for each method and type that there are backups of', () => {
    const lanes = drawn().lanes.map(
      ({ method, type, marks }) => `${method} ${type} ${marks.map(({ state }) => state)}`,
    );
    expect(lanes).toEqual([
      'Physical Full Expired,Completed,Completed,Completed',
      'Physical Incremental Completed',
      'Logical Full Completed,Failed,Cancelled',
    ]);
  });

  test('after a gap nothing is restorable until a base backup that began behind it is complete', () => {
    const { wal, restorable } = drawn();
    expect(show(wal?.covered ?? [])).toEqual([
      '2026-11-08T00:35 2026-11-12T06:00',
      '2026-11-13T06:00 2026-11-21T10:14',
    ]);
    expect(show(wal?.gaps ?? [])).toEqual(['2026-11-12T06:00 2026-11-13T06:00']);
    expect(show(restorable)).toEqual(['2026-11-08T00:35 2026-11-12T06:00', '2026-11-13T12:20 2026-11-21T10:14']);
  });

  test('where none has come since, nothing after the gap is', () => {
    const { policy: orders, runs } = story();
    const early = runs.filter(({ metadata }) => metadata.name === 'orders-base-1');
    expect(show(drawTimeline(orders, { runs: early, now }).restorable)).toEqual(['2026-11-08T00:35 2026-11-12T06:00']);
  });

  test('a failed, a logical or an expired backup closes no gap', () => {
    const { policy: orders } = story();
    const none = [
      run('a', '2026-11-13T12:00:00Z', { status: { phase: 'Failed' } }),
      run('b', '2026-11-13T12:00:00Z', { spec: { method: 'Logical' } }),
      run('c', '2026-11-13T12:00:00Z', { status: { phase: 'Expired' } }),
      // It began before the gap's end.
      run('d', '2026-11-13T05:50:00Z'),
    ];
    expect(show(drawTimeline(orders, { runs: none, now }).restorable)).toEqual(['2026-11-08T00:35 2026-11-12T06:00']);
  });

  test('a gap of which no time is known is told, since it cannot be drawn', () => {
    const gaps = [{ timeline: 1, fromWal: '00000001000000000000002A', toWal: '00000001000000000000002F' }];
    const status = { restorable: { earliestTime: '2026-11-08T00:35:00Z', latestTime: '2026-11-21T10:14:00Z', gaps } };
    expect(drawTimeline(policy({}, status), { runs: [], now }).unplacedGaps).toEqual([
      '00000001000000000000002A to 00000001000000000000002F on timeline 1',
    ]);
  });

  test('each timeline begins where it was first seen', () => {
    expect(drawn().timelines.map(({ timeline, from }) => [timeline, new Date(from).toISOString()])).toEqual([
      [1, '2026-11-01T00:15:00.000Z'],
      [2, '2026-11-15T00:15:00.000Z'],
    ]);
  });

  test('a moment is proven by the verification of its backup, and by a recovery that reached it', () => {
    const { policy: orders, runs } = story();
    const reached = { reached: { time: '2026-11-20T09:00:00.5Z' } };
    const recoveries = [
      recovery('drill', reached),
      recovery('failed', { ...reached, phase: 'Failed' }),
      recovery('planned', reached, { dryRun: true }),
      recovery('foreign', reached, { source: { policyRef: { name: 'customers' } } }),
      recovery('silent', {}),
    ];
    expect(drawTimeline(orders, { runs, recoveries, now }).verified).toEqual([
      { name: 'orders-base-1', kind: 'Backup', at: at('2026-11-08T00:35:00Z'), on: at('2026-11-10T05:00:00Z') },
      { name: 'drill', kind: 'Recovery', at: at('2026-11-20T09:00:00.5Z'), on: at('2026-11-20T09:10:00Z') },
    ]);
  });

  test('without WAL and without backups there is an empty line, and no lie', () => {
    const bare = policy(
      { walArchiving: { mode: 'None' }, schedules: [] },
      { restorable: undefined, server: undefined, wal: undefined },
    );
    expect(drawTimeline(bare, { runs: [], now })).toMatchObject({
      ...{ lanes: [], wal: undefined, restorable: [], window: undefined, timelines: [], verified: [] },
      ...{ from: now.getTime() - 3_600_000, to: now.getTime() },
    });
  });

  test("another policy's backups, and those before --since, are not in it", () => {
    const { policy: orders, runs } = story();
    const foreign = run('other', '2026-11-20T00:00:00Z', { spec: { policyRef: { name: 'customers' } } });
    const { lanes, from } = drawTimeline(orders, {
      runs: [...runs, foreign],
      now,
      since: new Date('2026-11-18T00:00:00Z'),
    });
    expect(lanes.flatMap(({ marks }) => marks.map((mark) => mark.run))).toEqual([
      'orders-increment',
      'orders-dump-2',
      'orders-dump-3',
    ]);
    expect(from).toBe(at('2026-11-18T00:00:00Z'));
  });
});

describe('spans', () => {
  const span = fc
    .tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }))
    .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));

  test('what is cut is in the spans, in what is shown, and in no hole', () => {
    fc.assert(
      fc.property(fc.array(span), fc.array(span), span, (spans, holes, shown) => {
        for (const piece of cut(spans, holes, shown)) {
          expect(piece.from).toBeLessThanOrEqual(piece.to);
          expect(piece.from).toBeGreaterThanOrEqual(shown.from);
          expect(piece.to).toBeLessThanOrEqual(shown.to);
          const middle = (piece.from + piece.to) / 2;
          expect(spans.some(({ from, to }) => from <= middle && middle <= to)).toBe(true);
          expect(holes.some(({ from, to }) => from < middle && middle < to)).toBe(false);
        }
      }),
    );
  });

  test('a place is never outside of the picture', () => {
    fc.assert(
      fc.property(fc.integer(), span, (time, shown) => {
        expect(fraction(time, shown)).toBeGreaterThanOrEqual(0);
        expect(fraction(time, shown)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('ticks', () => {
  test('stand at round times of the zone, over the change of its clocks', () => {
    const shown = { from: at('2026-10-24T10:00:00Z'), to: at('2026-10-26T10:00:00Z') };
    expect(
      ticksOf(shown, 'Europe/Amsterdam', 4).map(
        (tick) => `${new Date(tick.at).toISOString().slice(5, 16)} ${tick.label}`,
      ),
    ).toEqual(['10-24T10:00 12:00', '10-24T22:00 Oct 25', '10-25T11:00 12:00', '10-25T23:00 Oct 26']);
  });

  test('are never more than asked for, and always within', () => {
    const length = fc.integer({ min: 1, max: 4_000 }).map((days) => days * 8_640_000);
    fc.assert(
      fc.property(length, fc.integer({ min: 1, max: 20 }), (duration, most) => {
        const shown = { from: now.getTime() - duration, to: now.getTime() };
        const ticks = ticksOf(shown, 'America/New_York', most);
        expect(ticks.length).toBeLessThanOrEqual(most);
        for (const tick of ticks) expect(tick.at >= shown.from && tick.at <= shown.to).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
