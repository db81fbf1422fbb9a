import { describe, expect, it } from 'vitest';
import {
  explainLog,
  fromLogTime,
  lastCommitTime,
  settingsTooLow,
} from '../../../../../src/agent/recover/run/explain-log.ts';

const at = '2026-11-21 10:08:01.569 UTC [12707] ';
const wanted = { target: 'time 2026-11-21T12:00:00Z', endOfArchive: '0/7000000', endOfArchiveTime: undefined };
const looked = `${at}FATAL:  the database system is starting up\n${at}FATAL:  role "postgres" does not exist\n`;

describe('the server’s last words', () => {
  it.each([
    ['recovery ended before configured recovery target was reached', 'TargetNotReached', false],
    ["requested timeline 2 is not a child of this server's history", 'TimelineUnreachable', false],
    ['recovery target timeline 7 does not exist', 'TimelineUnreachable', false],
    ['could not write to file "base/1/2": No space left on device', 'DiskFull', false],
    ['could not access file "timescaledb": No such file or directory', 'LibraryMissing', false],
    ['database files are incompatible with server', 'VersionMismatch', false],
    ['could not map anonymous shared memory: Cannot allocate memory', 'OutOfMemory', true],
    ['WAL ends before end of online backup', 'CorruptedBackup', false],
    ['could not locate required checkpoint record', 'CorruptedBackup', false],
    ['something that nobody knows', 'RecoveryFailed', true],
  ])('%s: %s', (said, reason, retryable) => {
    expect(explainLog(`${looked}${at}FATAL:  ${said}\n`, 1, wanted)).toMatchObject({ reason, retryable });
  });

  it('name the last moment where the target was not reached', () => {
    const log = `${at}LOG:  redo done at 0/60000F8 system usage: CPU
${at}LOG:  last completed transaction was at log time 2026-11-21 10:10:52.793783+00
${at}FATAL:  recovery ended before configured recovery target was reached`;
    expect(explainLog(log, 1, wanted).message).toBe(
      'The WAL ends before the target (time 2026-11-21T12:00:00Z): the last record is at 0/60000F8, and the last transaction that could be replayed was committed at 2026-11-21T10:10:52.793Z. Ask for a targetTime of 2026-11-21T10:10:52.793Z or before, or for the end of the archive (no target), in a new PitrRecovery.',
    );
  });

  it('are not those to an agent that looked too early', () => {
    expect(explainLog(looked, 1, wanted).message).not.toMatch(/does not exist; |role "postgres" does not exist$/);
    expect(explainLog(`${looked}${at}PANIC:  torn page`, 1, wanted).message).toMatch(/: torn page\./);
  });

  it('are of any time zone', () => {
    expect(fromLogTime('2026-11-21 10:10:52+05:30')).toBe('2026-11-21T04:40:52.000Z');
    expect(fromLogTime('yesterday')).toBeUndefined();
    expect(lastCommitTime('')).toBeUndefined();
  });
});

it.each([
  'DETAIL:  max_connections = 20 is a lower setting than on the primary server, where its value was 100.',
  'FATAL:  hot standby is not possible because max_connections = 20 is a lower setting than on the master server (its value was 100)',
])('a setting that is too low is known from: %s', (line) => {
  expect(settingsTooLow(`${at}${line}\n`)).toEqual([{ name: 'max_connections', needed: 100 }]);
});
