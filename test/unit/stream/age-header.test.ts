import { expect, test } from 'vitest';
import { headerLength, watchForContent } from '../../../src/stream/age-header.ts';

const header = Buffer.from('age-encryption.org/v1\n-> X25519 c2hhcmU\nYm9keQ\n--- bWFj\n');

async function hadContent(bytes: Buffer, piece = bytes.length): Promise<boolean> {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
  }
  const watched = watchForContent(pieces());
  const passed: Buffer[] = [];
  for await (const chunk of watched.stream) passed.push(chunk);
  expect(Buffer.concat(passed)).toEqual(bytes);
  return watched.hadContent();
}

test('a header ends with the line of its MAC', () => {
  expect(headerLength(header)).toBe(header.length);
  expect(headerLength(Buffer.concat([header, Buffer.from('payload\n--- x\n')]))).toBe(header.length);
  expect(headerLength(header.subarray(0, -1))).toBeUndefined();
  expect(headerLength(Buffer.from('no header'))).toBeUndefined();
});

test.each([1000, 7, 1])('a nonce and a tag behind it are no content, in pieces of %i', async (piece) => {
  expect(await hadContent(Buffer.concat([header, Buffer.alloc(32)]), piece)).toBe(false);
  expect(await hadContent(Buffer.concat([header, Buffer.alloc(33)]), piece)).toBe(true);
});

test('nothing at all is none either', async () => {
  expect(await hadContent(Buffer.alloc(0))).toBe(false);
});
