import { expect, test } from 'vitest';
import { createTarReader } from '../../../../src/agent/restore/read-tar.ts';
import { writeTar } from '../../../support/write-tar.ts';
import { entry, writeArchive } from './archive-writer.ts';

const few = [entry({ id: 1, kind: 'TABLE', name: 'orders' })];
const many = Array.from({ length: 30_000 }, (_, id) => entry({ id, kind: 'TABLE', name: `table ${id}` }));
const tarOf = (members: Readonly<Record<string, Buffer>>) => writeTar(Object.entries(members));
const contents = (entries = few) => writeArchive(entries, { format: 3 });

test.each([
  { what: 'a few entries', entries: few, size: 100 },
  { what: 'more entries than come at first', entries: many, size: 65_536 },
])('reads $what, in pieces whose memory is used again', async ({ entries, size }) => {
  const tar = await tarOf({ 'toc.dat': contents(entries), '1.dat': Buffer.alloc(100_000, 'x') });
  const archive = read(tar, size);
  expect(archive).toEqual({ format: 'Tar', database: 'shop', entries });
});

test.each([
  ['nothing', async () => Buffer.alloc(0), /ends too early/],
  ['half a header', async () => (await tarOf({ 'toc.dat': contents() })).subarray(0, 300), /ends too early/],
  ['half a table of contents', async () => (await tarOf({ 'toc.dat': contents() })).subarray(0, 600), /ends too early/],
  ['one that is cut within its member', () => tarOf({ 'toc.dat': contents().subarray(0, 90) }), /ends too early/],
  ['something before it', () => tarOf({ x: Buffer.from('x'), 'toc.dat': contents() }), /a tar without a toc.dat/],
  ['no archive in it', () => tarOf({ 'toc.dat': Buffer.from('PGDMX, or so') }), /does not begin with PGDMP/],
] as const)('of %s tells what is wrong, at its end', async (_, make, words) => {
  const tar = await make();
  expect(() => read(tar, 100)).toThrow(words);
});

test.each([
  ['whose table of contents it has', contents()],
  ['that is none', Buffer.from('PGDMX')],
])('keeps nothing of the rest of a tar %s', async (_, toc) => {
  const { push } = createTarReader('shop');
  const piece = Buffer.concat([await tarOf({ 'toc.dat': toc }), Buffer.alloc(1024 ** 2)]);
  push(piece);
  const before = process.memoryUsage().arrayBuffers;
  for (let count = 0; count < 100; count += 1) push(piece);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 ** 2);
});

function read(tar: Buffer, size: number) {
  const reader = createTarReader('shop');
  const shared = Buffer.alloc(size);
  for (let at = 0; at < tar.length; at += size) reader.push(shared.subarray(0, tar.copy(shared, 0, at)));
  return reader.end();
}
