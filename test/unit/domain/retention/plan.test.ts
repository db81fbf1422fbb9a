import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RetentionStatus, retentionStatus } from '../../../../src/api/retention.ts';
import {
  asPublished,
  delayMilliseconds,
  lockedEntry,
  makePlan,
  type Plan,
  type PrunableWal,
} from '../../../../src/domain/retention/plan.ts';

const start = Date.parse('2026-11-21T00:00:00Z');
const size = 16 * 1024 ** 2;
const at = (minutes: number) => new Date(start + minutes * 60_000);

function verdict(number: number, keep: boolean) {
  const completionTime = at(number - 100_000);
  const backup = {
    backupID: `b${number}`,
    run: `run-${number}`,
    path: `b${number}`,
    systemIdentifier: '7',
    method: 'Logical' as const,
    type: 'Full',
    startTime: completionTime,
    completionTime,
    complete: true,
    bytes: 10,
    held: false,
  };
  return { backup, keep, reason: keep ? 'keepLast' : 'no rule keeps it' };
}

const wal = (before: bigint | undefined): PrunableWal => ({
  systemIdentifier: '7',
  timeline: 1,
  before,
  segmentSize: size,
  segments: 3,
  bytes: 30,
  more: false,
});

interface Options {
  readonly published?: RetentionStatus;
  readonly wal?: readonly PrunableWal[];
  readonly dryRun?: boolean;
}

function plan(
  going: readonly number[],
  minutes: number,
  { published = {}, wal: pruned = [], dryRun = false }: Options = {},
): Plan {
  const verdicts = [verdict(5000, true), ...going.map((number) => verdict(number, false))];
  return makePlan({ repositories: [{ name: 'store', verdicts, wal: pruned }], published, dryRun, now: at(minutes) });
}

const publish = ({ plan: entries, wal: each, repositories, nextDueTime }: Plan): RetentionStatus =>
  retentionStatus.parse({ plan: entries, wal: each, repositories, nextDueTime });
const due = ({ dueBackups }: Plan) => dueBackups.map(({ backup }) => backup.backupID);

test('nothing is due that was not published an hour before, whatever comes and goes', () => {
  const step = fc.record({
    minutes: fc.integer({ min: 1, max: 90 }),
    going: fc.uniqueArray(fc.nat(6)),
    dryRun: fc.boolean(),
  });
  let deleted = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let published: RetentionStatus = {};
      let minutes = 0;
      const since = new Map<string, number>();
      for (const { minutes: more, going, dryRun } of steps) {
        minutes += more;
        const made = plan(going, minutes, { published, dryRun });
        const names = new Set(dryRun ? [] : going.map((number) => `b${number}`));
        for (const name of [...since.keys()]) if (!names.has(name)) since.delete(name);
        for (const name of names) if (!since.has(name)) since.set(name, minutes);
        for (const name of due(made)) {
          deleted += 1;
          expect(names).toContain(name);
          expect(minutes - (since.get(name) ?? minutes)).toBeGreaterThanOrEqual(delayMilliseconds / 60_000);
        }
        published = publish(made);
      }
    }),
  );
  expect(deleted).toBeGreaterThan(10);
});

test('backups that vanished, which nobody here has deleted, let everything wait anew', () => {
  const first = publish(plan([1, 2], 0));
  expect(due(plan([1, 2], 61, { published: first }))).toEqual(['b2', 'b1']);
  const short = plan([1], 61, { published: first });
  expect(due(short)).toEqual([]);
  expect(due(plan([1], 122, { published: publish(short) }))).toEqual(['b1']);
});

test('a plan is bounded, and comes to the rest in time', () => {
  const many = Array.from({ length: 400 }, (_, number) => number);
  const made = plan(many, 0);
  const shown = made.plan.filter(({ action }) => action === 'Delete');
  expect([shown.length, shown[0]?.run, made.plan.at(-1)?.action]).toEqual([160, 'run-0', 'Keep']);
  expect(made.repositories).toMatchObject([{ backups: 401, keep: 1, delete: 400, deleteBytes: '4000' }]);
  expect(JSON.stringify(made).length).toBeLessThan(200_000);
  const later = plan(many, 61, { published: publish(made) });
  expect(due(later)).toHaveLength(160);
  expect(later.nextDueTime).toBeDefined();
});

test('what is locked is told with its date, stands in nobody’s way, and is tried again then', () => {
  const [entry] = plan([1], 0).plan;
  const locked = lockedEntry(entry as never, at(600), at(61));
  expect(locked).toMatchObject({ action: 'Locked', dueTime: '2026-11-21T10:00:00Z' });
  const published = { plan: [locked] };
  expect(plan([1], 300, { published }).plan[0]).toEqual(locked);
  expect(due(plan([1], 300, { published }))).toEqual([]);
  expect(plan([1, 2], 300, { published }).plan.map(({ action }) => action)).toEqual(['Delete', 'Locked', 'Keep']);
  expect(due(plan([1], 601, { published }))).toEqual(['b1']);
});

test('WAL goes as far as was published; what was added since is planned after', () => {
  const made = plan([], 0, { wal: [wal(5n)] });
  expect(made.wal).toMatchObject([{ before: '000000010000000000000005', dueTime: '2026-11-21T01:00:00Z' }]);
  const published = publish(made);
  const capped = asPublished('store', wal(9n), size, published);
  expect(capped).toMatchObject({ before: 5n, more: true });
  expect(asPublished('store', wal(undefined), size, published)).toMatchObject({ before: 5n, more: true });
  expect(asPublished('store', wal(4n), size, published)).toMatchObject({ before: 4n, more: false });
  expect(plan([], 30, { published, wal: [wal(5n)] }).dueWal).toEqual([]);
  const later = plan([], 61, { published, wal: [{ ...wal(5n), more: true }] });
  expect(later.dueWal).toMatchObject([{ timeline: 1, before: 5n }]);
  expect(later.nextDueTime).toBeDefined();
});
