import { describe, expect, it } from 'vitest';
import { wordsOfClockAhead } from '../../../../../src/agent/recover/run/clock-ahead.ts';

const stopping = (what: string, time: string) =>
  `2026-11-21 10:08:01.569 UTC [12] LOG:  recovery stopping before ${what} of transaction 745, time ${time}
2026-11-21 10:08:01.570 UTC [12] LOG:  redo done at 0/4000100 system usage: CPU`;
const targetTime = '2026-11-21T10:00:00Z';
const plan = {
  endOfArchive: '0/9000148',
  endOfArchiveTime: '2026-11-21T10:05:00Z',
  targetLSN: '0/8000000',
  segmentSize: 16 * 1024 ** 2,
};
const near = { lsn: '0/7000100', timeline: 1 };
const far = { lsn: '0/4000100', timeline: 1 };
const words = (log: string, reached = near, more: Partial<typeof plan> = {}) =>
  wordsOfClockAhead(log, { targetTime, plan: { ...plan, ...more } }, reached);

describe('a recovery to a moment that stopped before a transaction', () => {
  it('of a clock that was ahead says so: the archive’s last commit is earlier', () => {
    const said = words(stopping('commit', '2026-11-22 10:02:00.5+00'));
    expect(said).toMatch(/^ Replay stopped at 0\/7000100, before transaction 745, .* 2026-11-22T10:02:00\.500Z/);
    expect(said).toContain('the archive goes on to a commit of 2026-11-21T10:05:00Z');
    expect(said).toContain('a targetLSN between 0/7000100 and 0/9000148');
    expect(words(stopping('abort', '2026-11-22 10:02:00+00'))).not.toBe('');
  });

  it('of a clock that was ahead, in an archive that has grown past it since: in a segment before the one expected', () => {
    const later = { endOfArchiveTime: '2026-11-24T10:00:00Z' };
    expect(words(stopping('commit', '2026-11-22 10:02:00+00'), far, later)).toContain(
      'has commits from before the target, up to 0/7000000',
    );
    expect(words(stopping('commit', '2026-11-22 10:02:00+00'), near, later)).toBe('');
    // What the plan reads are commits.
    expect(words(stopping('abort', '2026-11-22 10:02:00+00'), far, later)).toBe('');
  });

  it('of the same clock says nothing, nor where commits changed places', () => {
    expect(words(stopping('commit', '2026-11-21 10:00:03+00'))).toBe('');
    expect(words(stopping('commit', '2026-11-21 10:05:30+00'))).toBe('');
    expect(words(stopping('commit', '2026-11-21 10:00:30+00'), far)).toBe('');
    expect(words('LOG:  redo done at 0/4000100')).toBe('');
  });

  it('says nothing where no moment was asked for', () => {
    const log = stopping('commit', '2026-11-22 10:02:00+00');
    expect(wordsOfClockAhead(log, { targetTime: undefined, plan }, near)).toBe('');
  });
});
