import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assembleInFiles } from '../../../../src/agent/watch-wal/stream/assemble-in-files.ts';
import { segmentNameAt } from '../../../../src/domain/wal/file-name.ts';
import { piecesOf, type WalContent } from '../../../../src/repository/large-wal.ts';
import { commitRecord, otherRecord, writeSegment } from '../../../support/wal/segment.ts';

const size = 1024 ** 2;
const start = 5n * BigInt(size);
const nameOf = (index: number) => segmentNameAt(1, start + BigInt(index * size), size);
const now = Date.UTC(2026, 10, 21) * 1000;
const segments = [
  writeSegment({ name: nameOf(0), timeline: 1, records: [otherRecord(500), otherRecord(9000)] }).content,
  writeSegment({ name: nameOf(1), timeline: 1, records: [otherRecord(500), commitRecord(now)] }).content,
];
const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith(`tidemark-wal-${process.pid}-`));

async function bytesOf(content: WalContent): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(piecesOf(content)));
}

test('whatever the pieces, the segments are the bytes in order, can be read twice, and the tail ends in zeros', async () => {
  const whole = Buffer.concat(segments);
  const length = fc.integer({ min: size, max: whole.length - 1 });
  await fc.assert(
    fc.asyncProperty(length, fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1 }), async (until, steps) => {
      const assembly = assembleInFiles(start, size, 1);
      const complete: Buffer[] = [];
      for (let at = 0, turn = 0; at < until; turn += 1) {
        const piece = whole.subarray(at, Math.min(until, at + (steps[turn % steps.length] ?? 1)));
        for (const { content, head, size: said } of assembly.add(assembly.position(), piece)) {
          expect([said, head.equals(whole.subarray(0, 40))]).toEqual([size, true]);
          complete.push(await bytesOf(content));
          expect((await bytesOf(content)).equals(complete.at(-1) ?? Buffer.alloc(0))).toBe(true);
          assembly.reuse(content);
          await expect(bytesOf(content)).rejects.toThrow('ENOENT');
        }
        at += piece.length;
      }
      expect(complete).toHaveLength(1);
      expect(complete[0]?.equals(segments[0] ?? Buffer.alloc(0))).toBe(true);
      const rest = until - size;
      // The commit is among the first bytes of the second.
      if (rest === 0 || rest >= 8192) expect(assembly.holdsCommit()).toBe(rest > 0);
      const tail = assembly.tail();
      expect(tail?.length).toBe(rest === 0 ? undefined : rest);
      if (tail !== undefined) {
        const expected = Buffer.alloc(size);
        whole.copy(expected, 0, size, until);
        expect((await bytesOf(tail.content)).equals(expected)).toBe(true);
      }
      assembly.close();
      expect(folders()).toEqual([]);
    }),
    { numRuns: 25 },
  );
});

test('bytes that do not follow are refused, and what is no WAL', () => {
  const assembly = assembleInFiles(start, size, 1);
  expect(() => assembly.add(start + 1n, Buffer.alloc(1))).toThrow(RangeError);
  expect(() => assembly.add(start, Buffer.alloc(64))).toThrow(expect.objectContaining({ reason: 'InvalidWal' }));
  assembly.close();
});
