import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type CopyPart, splitCopy } from '../../../../src/postgres/replication/tap-copy.ts';

function message(letter: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.write(letter, 'latin1');
  header.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([header, content]);
}

const messages = fc.array(
  fc.record({ letter: fc.constantFrom('d', 'C', 'D', 'Z'), content: fc.uint8Array({ maxLength: 40 }) }),
  { maxLength: 12 },
);

it('wherever the stream is cut, copied data comes whole and everything else goes on unchanged', () => {
  fc.assert(
    fc.property(messages, fc.integer({ min: 1, max: 17 }), (sent, step) => {
      const stream = Buffer.concat(sent.map(({ letter, content }) => message(letter, content)));
      const copied: Buffer[] = [];
      const others: Buffer[] = [];
      let held: Buffer[] = [];
      const onPart = ({ bytes, first, last }: CopyPart) => {
        expect(first).toBe(held.length === 0);
        held.push(bytes);
        if (!last) return;
        copied.push(Buffer.concat(held));
        held = [];
      };
      const split = splitCopy(onPart, (bytes) => others.push(bytes));
      for (let at = 0; at < stream.length; at += step) split(stream.subarray(at, at + step));
      const data = sent.filter(({ letter }) => letter === 'd').map(({ content }) => Buffer.from(content));
      const rest = sent.filter(({ letter }) => letter !== 'd').map(({ letter, content }) => message(letter, content));
      expect(copied).toEqual(data);
      expect(Buffer.concat(others)).toEqual(Buffer.concat(rest));
    }),
  );
});
