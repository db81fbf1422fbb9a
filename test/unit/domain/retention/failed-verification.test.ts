import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retention as retentionSchema } from '../../../../src/api/retention.ts';
import { judgeBackups } from '../../../../src/domain/retention/judge-backups.ts';
import type { RepositoryBackup } from '../../../../src/domain/retention/repository-backup.ts';

const now = new Date('2026-11-21T12:00:00Z');

function backup(backupID: string, days: number, more: Partial<RepositoryBackup> = {}): RepositoryBackup {
  const completionTime = new Date(now.getTime() - days * 86_400_000);
  return {
    backupID,
    run: backupID,
    path: backupID,
    systemIdentifier: '1',
    method: 'Logical',
    type: 'Full',
    startTime: completionTime,
    completionTime,
    complete: true,
    bytes: 1,
    held: false,
    ...more,
  };
}

function verdicts(backups: readonly RepositoryBackup[], rules: object) {
  const retention = retentionSchema.parse({ minBackups: 0, ...rules });
  const judged = judgeBackups({
    retention,
    backups,
    wals: [],
    timeZones: { Logical: 'Etc/UTC', Physical: 'Etc/UTC' },
    now,
  });
  return Object.fromEntries(judged.filter(({ keep }) => keep).map((each) => [each.backup.backupID, each.reason]));
}

test('a backup that failed its verification makes no older one superfluous, and stays as long as it would have', () => {
  const backups = [backup('old', 3), backup('good', 2), backup('bad', 1, { failed: true })];
  expect(verdicts(backups, { keepLast: 1 })).toEqual({
    bad: 'newest (though it failed its verification), keepLast (though it failed its verification)',
    good: 'newest, keepLast',
  });
});

test('where all have failed, all stay', () => {
  const backups = [backup('one', 3, { failed: true }), backup('two', 1, { failed: true })];
  expect(Object.keys(verdicts(backups, { keepLast: 1 }))).toEqual(['two', 'one']);
});

test('the base of a window is one that is good', () => {
  const backups = [backup('good', 20), backup('bad', 15, { failed: true }), backup('new', 1)];
  expect(verdicts(backups, { recoveryWindow: '14d' })).toEqual({
    new: 'newest, recoveryWindow',
    bad: 'recoveryWindow begins after it (though it failed its verification)',
    good: 'recoveryWindow begins after it',
  });
});

test('an increment on one that failed counts as little', () => {
  const backups = [
    backup('good', 9),
    backup('bad', 5, { failed: true }),
    backup('on it', 1, { type: 'Incremental', parent: 'bad' }),
  ];
  expect(verdicts(backups, { keepLast: 1 })).toMatchObject({ good: 'newest, keepLast' });
});

test('a failure keeps more, never less', () => {
  const rule = fc.integer({ min: 0, max: 4 });
  const rules = fc.record({ keepLast: rule, keepDaily: rule, keepWeekly: rule, minBackups: rule });
  const some = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.boolean()), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(rules, some, (chosen, parts) => {
      const sound = parts.map(([days], index) => backup(String(index), days));
      const marked = parts.map(([days, failed], index) => backup(String(index), days, { failed }));
      const kept = verdicts(marked, chosen);
      for (const backupID of Object.keys(verdicts(sound, chosen))) expect(kept).toHaveProperty(backupID);
      // As if the failed ones were not there at all, for those that are good.
      const good = marked.filter(({ failed }) => failed !== true);
      for (const backupID of Object.keys(verdicts(good, chosen))) expect(kept).toHaveProperty(backupID);
    }),
    { numRuns: 200 },
  );
});
