import { describe, expect, test } from 'vitest';
import { isFresh } from '../../../src/controllers/archiving/heard.ts';
import { continuousArchiving, dueBackup } from '../../../src/controllers/archiving/judge.ts';
import { decideCopies } from '../../../src/controllers/backup-run/catch-up/decide.ts';
import { decideSync } from '../../../src/controllers/catalogue/decide.ts';
import { decideRetention } from '../../../src/controllers/retention/decide.ts';
import { decideVerification } from '../../../src/controllers/verification/decide.ts';
import { placeOf } from '../../../src/domain/catalogue/place.ts';
import { dueTime } from '../../../src/domain/verification/due-time.ts';
import { archiving, base, wal } from './archiving/things.ts';
import { agent, condition, now, policy, ready, report, repository, run } from './objects.ts';

const hour = 3_600_000;
const year = 365 * 24 * hour;
const ahead = (milliseconds: number) => new Date(now.getTime() + milliseconds).toISOString();

/** A clock was a year ahead, wrote what it took for the time into a status, and was set right. */
describe('after a clock that was ahead', () => {
  test('verification is due at its next time, not in a year', () => {
    const verification = { cron: '0 * * * *', timeZone: 'Etc/UTC' };
    const wrong = { scheduledTime: new Date(ahead(year)), startTime: new Date(ahead(year)) };
    const since = new Date(now.getTime() - 2 * hour);
    expect(dueTime(verification, since, [wrong], now)).toEqual(new Date(now.getTime() - hour));
    const { status } = decideVerification({
      policy: policy({
        spec: { verification: { cron: '0 * * * *' } },
        status: { verification: { schedule: '0 * * * * Etc/UTC', since: ahead(year) } },
      }),
      runs: [],
      trials: [],
      drills: [],
      random: () => 0.5,
      now,
    });
    expect(Date.parse(status?.since ?? '')).toBeLessThanOrEqual(now.getTime());
  });

  test.each([
    ['a year', year, true],
    ['an hour, as clocks may differ', hour, false],
  ])('retention plans anew where the plan is of a time ahead by %s: %s', (_, milliseconds, isDue) => {
    const retention = {
      generation: 1,
      plannedTime: ahead(milliseconds),
      report: { ...report('Succeeded', 'Applied', 'all stay'), pod: 'expire-orders-x' },
    };
    const decision = decideRetention({
      policy: policy({ spec: { retention: { recoveryWindow: '14d' } }, status: { conditions: [], retention } }),
      repositories: [repository({ status: ready })],
      account: undefined,
      runs: [],
      job: undefined,
      reader: undefined,
      agent,
      now,
    });
    expect(decision.create !== undefined).toBe(isDue);
  });

  test('the catalogue is read again', () => {
    const time = ahead(year);
    const catalogue = {
      ...{ startTime: time, completionTime: time, deepTime: time, knownUntil: time, generation: 1 },
      place: placeOf(repository().spec),
      report: { outcome: 'Succeeded', reason: 'Synced', message: 'so it is', completionTime: time },
    };
    const decision = decideSync({
      repository: repository({ status: { catalogue } }),
      isReady: true,
      job: undefined,
      runs: [],
      policies: [],
      agent,
      now,
    });
    expect(decision.create).toBeDefined();
  });

  test('a base backup that is due is tried again', () => {
    const failed = run({
      name: 'orders-timeline-2',
      spec: { method: 'Physical' },
      status: { phase: 'Failed', completionTime: ahead(year) },
    });
    const due = dueBackup(archiving(), [base(), failed], wal({ timeline: 2 }), now);
    expect(due?.why).toContain('timeline 2');
  });

  test('a copy that failed is tried again', () => {
    const entries = [
      { name: 'store', state: 'Stored', path: 'shop/orders/1/backups/x', checksum: 'sha256:a' },
      { name: 'other', state: 'Failed', reason: 'StoreFull', message: 'full' },
    ];
    const volume = { claimName: 'backups' };
    const decision = decideCopies({
      run: run({
        status: {
          ...{ phase: 'Failed', error: 'not everywhere', backupID: '20260310T115900Z-logical', repositories: entries },
          ...{ completionTime: '2026-03-10T11:59:59Z', conditions: [condition('Succeeded', 'False', 'StoredInSome')] },
          catchUp: { attempts: 3, lastTime: ahead(year) },
        },
      }),
      policy: policy({ spec: { repositoryRefs: [{ name: 'store' }, { name: 'other' }] } }),
      repositories: new Map([
        ['store', repository({ name: 'store', spec: { volume }, status: ready })],
        ['other', repository({ name: 'other', spec: { volume: { claimName: 'others' } }, status: ready })],
      ]),
      others: [],
      job: undefined,
      isBusy: false,
      agent,
      now,
    });
    expect(decision.create).toBeDefined();
  });

  test('a watcher whose last word is yet to come is not taken for one that speaks', () => {
    const time = ahead(hour);
    const said = wal({ report: { healthy: true, reason: 'Archiving', message: '', time } });
    expect(isFresh(said, now)).toBe(false);
    const judged = { policy: archiving(), wal: said, rollout: undefined, refusal: undefined, now };
    expect(continuousArchiving(judged)).toMatchObject({
      status: 'Unknown',
      reason: 'WatcherSilent',
      message: expect.stringMatching(/yet to come.*clocks/),
    });
  });
});
