import { describe, expect, test } from 'vitest';
import { bytes, duration } from '../../../src/domain/display/quantities.ts';
import type { Work } from '../../../src/kubectl/objects.ts';
import { parseDuration } from '../../../src/kubectl/parse-duration.ts';
import { progressLine } from '../../../src/kubectl/progress-line.ts';
import { now } from './kubectl.ts';
import { run } from './objects.ts';

const work = (status: object): Work =>
  run('base', '2026-11-21T10:14:00Z', { status: { phase: 'Running', completionTime: undefined, ...status } });
const line = (status: object, unicode = true) => progressLine(work(status), now, { unicode });

describe('the line of what is under way', () => {
  test('has a bar, amounts, speed, and what is left', () => {
    const progress = {
      step: 'dump orders',
      bytesDone: '500000000',
      bytesTotal: '1000000000',
      percent: 50,
      bytesPerSecond: '50000000',
    };
    expect(line({ progress })).toBe(
      'base  Running, dump orders  [████████████░░░░░░░░░░░░] 50%  500 MB of 1.00 GB  50.0 MB/s  1 min  10 s left',
    );
    expect(line({ progress }, false)).toContain('[############............] 50%');
  });

  test('makes nothing up where it is not known how much there is', () => {
    expect(line({ progress: { bytesDone: '500000000' } })).toBe('base  Running  500 MB  1 min');
    expect(
      line({ progress: undefined, conditions: [{ type: 'Succeeded', status: 'Unknown', reason: 'Queued' }] }),
    ).toBe('base  Running (Queued)  1 min');
    expect(line({ progress: { bytesDone: '5', bytesTotal: '0', percent: 100 } })).not.toMatch(/left|NaN|Infinity/);
  });
});

test.each([
  ['0', '0 B'],
  ['999', '999 B'],
  ['1000', '1.00 kB'],
  ['9994', '9.99 kB'],
  ['9996', '10.0 kB'],
  ['999900', '1.00 MB'],
  ['593476488', '593 MB'],
  ['3101687808', '3.10 GB'],
  ['18446744073709551615', '18.4 EB'],
  ['', undefined],
  [undefined, undefined],
  ['nonsense', undefined],
])('%s bytes are %s', (value, expected) => {
  expect(bytes(value)).toBe(expected);
});

test.each([
  [0, '0 s'],
  [59.6, '1 min'],
  [185, '3 min 5 s'],
  [7800, '2 h 10 min'],
  [356_400, '4 d 3 h'],
])('%d seconds are %s', (seconds, expected) => {
  expect(duration(seconds)).toBe(expected);
});

test.each([
  ['90s', 90_000],
  ['2w', 1_209_600_000],
  ['0s', undefined],
  ['1.5h', undefined],
  ['h', undefined],
  ['-5m', undefined],
])('the duration %s', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});
