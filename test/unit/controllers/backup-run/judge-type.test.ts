import { expect, test } from 'vitest';
import { judgeStored, warningsOf } from '../../../../src/controllers/backup-run/judge-stored.ts';
import { judgeType } from '../../../../src/controllers/backup-run/judge-type.ts';
import { run } from '../objects.ts';

const physical = (type: string, status: object, name = 'daily') =>
  run({ name, spec: { method: 'Physical', type }, status: { phase: 'Completed', ...status } });
const increment = { type: 'Incremental', parentBackupID: 'full', chain: { fullBackupID: 'full', length: 2 } };

test('an increment that is one says what it stands on', () => {
  expect(judgeType(physical('Incremental', { ...increment, server: { version: '17.13' } }))).toEqual([
    {
      type: 'TypeAsAsked',
      status: 'True',
      reason: 'Incremental',
      message: 'It is the difference to full; a restore combines 2 backups',
    },
  ]);
});

test('a full backup in its place says why, in a Warning Event too', () => {
  const forcedFull = { reason: 'SummarizeWalOff', message: 'The setting is off. Run: ALTER SYSTEM …' };
  const judged = judgeStored(
    physical('Differential', { type: 'Full', parentBackupID: '', forcedFull }),
    [],
    'Completed',
  );
  expect(judged).toMatchObject([
    { type: 'TypeAsAsked', status: 'False', reason: 'SummarizeWalOff', message: expect.stringMatching(/ALTER SYSTEM/) },
  ]);
  expect(warningsOf(undefined, judged)).toMatchObject([{ type: 'Warning', reason: 'SummarizeWalOff' }]);
});

test('one of a faulty server is not to be trusted', () => {
  const judged = judgeType(physical('Incremental', { ...increment, server: { version: '17.12' } }));
  expect(judged.map(({ type, status, reason }) => [type, status, reason])).toEqual([
    ['TypeAsAsked', 'True', 'Incremental'],
    ['IncrementTrusted', 'False', 'FaultyVersion'],
  ]);
});

test('nothing is said of a full backup, or before it is known', () => {
  expect(judgeType(physical('Full', { type: 'Full', server: { version: '17.12' } }))).toEqual([]);
  expect(judgeType(physical('Incremental', {}))).toEqual([]);
});

test('a full backup in place of an increment is compared in size with full ones', () => {
  const forced = { type: 'Full', forcedFull: { reason: 'NoParent', message: 'None.' } };
  const now = physical('Incremental', { ...forced, backupID: 'c', size: { stored: '1000000' } });
  const before = physical('Incremental', { ...increment, backupID: 'b', size: { stored: '90000000' } }, 'before');
  const types = judgeStored(now, [before], 'Completed').map(({ type }) => type);
  expect(types).toEqual(['TypeAsAsked']);
});
