import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatMoment, parseMoment } from '../../../../src/domain/recovery/moment.ts';

it('reads a moment with its offset to the microsecond, and drops what is finer', () => {
  expect(formatMoment(parseMoment('2026-11-21T10:15:00+01:00'))).toBe('2026-11-21T09:15:00Z');
  expect(formatMoment(parseMoment('2026-11-21t09:15:00.1234567z'))).toBe('2026-11-21T09:15:00.123456Z');
  expect(() => parseMoment('2026-13-21T10:15:00Z')).toThrow(/is no moment/);
});

it('writes every moment so that it reads back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_102_444_800_000_000 }), (moment) => {
      expect(parseMoment(formatMoment(moment))).toBe(moment);
    }),
  );
});
