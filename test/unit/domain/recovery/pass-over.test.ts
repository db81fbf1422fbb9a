import { expect, test } from 'vitest';
import type { Catalogue, CataloguedBackup } from '../../../../src/domain/recovery/catalogue.ts';
import { chooseBackups } from '../../../../src/domain/recovery/choose-backup.ts';

const backup = (hour: number): CataloguedBackup => ({
  backupID: `at-${hour}`,
  path: `at-${hour}`,
  timeline: 1,
  begin: BigInt(hour),
  end: BigInt(hour) + 1n,
  time: new Date(`2026-03-10T0${hour}:00:00Z`),
  segmentSize: 1024 ** 2,
  ownWal: false,
});
const catalogue: Catalogue = {
  backups: [backup(5), backup(3), backup(1)],
  files: new Map(),
  histories: new Map([[1, []]]),
};
const wanted = { immediate: false, targetTLI: 'latest', backupID: '' };
const ids = (more: object) => chooseBackups({ ...wanted, ...more }, catalogue).map(({ backup: each }) => each.backupID);

test('a backup that failed its verification comes last, and is taken where it is named or nothing else leads there', () => {
  expect(ids({})).toEqual(['at-5', 'at-3', 'at-1']);
  expect(ids({ passOver: ['at-5'] })).toEqual(['at-3', 'at-1', 'at-5']);
  expect(ids({ passOver: ['at-5'], backupID: 'at-5' })).toEqual(['at-5']);
  expect(ids({ passOver: ['at-1'], lsn: 2n })).toEqual(['at-1']);
});
