import { expect, test } from 'vitest';
import { retention } from '../../../../src/api/retention.ts';
import type { PhysicalManifest } from '../../../../src/domain/manifest.ts';
import { judgeBackups } from '../../../../src/domain/retention/judge-backups.ts';
import { makePlan } from '../../../../src/domain/retention/plan.ts';
import { repositoryBackup } from '../../../../src/domain/retention/repository-backup.ts';
import { manifestOf } from '../../../postgres/expire/manifest-of.ts';

function physical(daysAgo: number, run: string, parent?: PhysicalManifest): PhysicalManifest {
  const made = manifestOf(daysAgo, run, {});
  if (made.method !== 'Physical') throw new Error('another method');
  if (parent === undefined) return made;
  const parentChecksum = `sha256:${'0'.repeat(64)}`;
  return { ...made, format: 3, type: 'Incremental', parentBackupID: parent.backupID, parentChecksum };
}

test('what a manifest says that it stands on is kept with it, and the plan names the parents', () => {
  const full = physical(9, 'full');
  const first = physical(8, 'first', full);
  const second = physical(7, 'second', first);
  const other = physical(6, 'other', full);
  const newest = physical(1, 'newest');
  const backups = [full, first, second, other, newest].map((made) =>
    repositoryBackup(made, made.backupID, made === second),
  );
  const rules = retention.parse({ keepLast: 1, minBackups: 1 });
  const timeZones = { Logical: 'Etc/UTC', Physical: 'Etc/UTC' };
  const verdicts = judgeBackups({ retention: rules, backups, wals: [], timeZones, now: new Date() });
  const kept = Object.fromEntries(verdicts.map(({ backup, keep, reason }) => [backup.run, keep ? reason : 'goes']));
  expect(kept).toEqual({
    newest: expect.stringContaining('newest'),
    other: 'goes',
    second: 'hold',
    first: 'an increment stands on it',
    full: 'an increment stands on it',
  });
  const { plan } = makePlan({
    repositories: [{ name: 'offsite', verdicts, wal: [] }],
    published: {},
    dryRun: false,
    now: new Date(),
  });
  const told = plan.map(({ run, action, type, parentBackupID }) => [run, action, type, parentBackupID]);
  expect(told).toContainEqual(['other', 'Delete', 'Incremental', full.backupID]);
  expect(told).toContainEqual(['second', 'Keep', 'Incremental', first.backupID]);
  expect(told).toContainEqual(['full', 'Keep', undefined, undefined]);
});
