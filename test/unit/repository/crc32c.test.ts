import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c, formatCrc32c } from '../../../src/repository/crc32c.ts';

// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
test.each([
  ['32 zeroes', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
  ['31 to 0', Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c],
  ['the nine digits', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
])('of %s', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
});

test('goes on over pieces of any length', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (pieces) => {
      const whole = Buffer.concat(pieces);
      expect(pieces.reduce((crc, piece) => crc32c(Buffer.from(piece), crc), 0)).toBe(crc32c(whole));
    }),
  );
});

test('is written as Google writes it', () => {
  expect(formatCrc32c(0xe3069283)).toBe('4waSgw==');
});
