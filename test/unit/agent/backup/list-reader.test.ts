import fc from 'fast-check';
import { expect, test } from 'vitest';
import { requireDataFiles } from '../../../../src/agent/backup/contents.ts';
import { createListReader } from '../../../../src/agent/backup/list-reader.ts';

const list = `;
; Archive created at 2026-11-21 06:00:00 UTC
;     dbname: shop
;     TOC Entries: 17
;     Format: DIRECTORY
;
; Selected TOC Entries:
;
215; 1259 16386 TABLE public Löden postgres
3340; 0 16386 TABLE DATA public Löden postgres
3341; 0 16390 TABLE DATA public b postgres
3350; 0 0 SEQUENCE SET public s postgres
`;

async function readInPieces(size: number) {
  const whole = Buffer.from(list);
  async function* pieces() {
    for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
  }
  const reader = createListReader();
  const passed = Buffer.concat(await Array.fromAsync(reader.pass(pieces())));
  return { passed: passed.toString(), summary: reader.summary() };
}

test('counts the entries and names the data files, however the text is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: list.length }), async (size) => {
      expect(await readInPieces(size)).toEqual({
        passed: list,
        summary: { entries: 17, dataFiles: ['3340.dat', '3341.dat'] },
      });
    }),
  );
});

test('a data file that was not stored means that the dump is not whole', () => {
  const summary = { entries: 17, dataFiles: ['3340.dat', '3341.dat'] };
  expect(() => requireDataFiles('shop', summary, new Set(['toc.dat', '3340.dat', '3341.dat']))).not.toThrow();
  expect(() => requireDataFiles('shop', summary, new Set(['toc.dat', '3340.dat']))).toThrow(
    /shop names 1 data files.*3341\.dat/,
  );
});
